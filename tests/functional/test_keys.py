"""`keys`: an operator's key is made, sealed, shown and taken over, and never printed."""
import json
import os
import pty
import subprocess

import pytest

KEY = '46' * 32
ADDRESS = '0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F'
# How soon a command that seals a key and opens it again is done, on a slow machine too.
PATIENCE = 60


@pytest.fixture
def keys(reservewatch, tmp_path):
    """keys(argument...) runs the command in a folder of its own, without a terminal."""
    def run(*arguments):
        return subprocess.run([reservewatch, 'keys', *arguments], cwd=tmp_path, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, check=False,
                              start_new_session=True)
    return run


@pytest.fixture
def secret(tmp_path):
    """secret(name, text, mode) puts a file there."""
    def put(name, text, mode=0o600):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)
    return put


def on_terminal(program, folder, *answers):
    """Run it with a terminal of its own, on which each prompt gets the next answer; returns
    its exit status and all that the terminal showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execv(program[0], program)
    shown = b''
    left = list(answers)
    try:
        while piece := os.read(terminal, 1000):
            shown += piece
            if piece.endswith(b': ') and left:
                os.write(terminal, left.pop(0).encode() + b'\n')
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def test_made_key_opens_with_its_password_only(keys, secret, tmp_path):
    secret('pass', 'correct horse\n')
    secret('other', 'correct hors\n')
    made = keys('new', 'key.json', '--password-file=pass')
    assert made.returncode == 0, made.stderr
    address = made.stdout.strip()
    file = tmp_path / 'key.json'
    assert file.stat().st_mode & 0o777 == 0o600
    sealed = json.loads(file.read_text())
    assert sealed['version'] == 3
    assert {name: sealed['crypto']['kdfparams'][name] for name in 'nrp'} == {'n': 262144, 'r': 8, 'p': 1}
    assert keys('show', 'key.json').stdout.strip() == address
    opened = keys('show', 'key.json', '--password-file=pass', '--json')
    assert json.loads(opened.stdout) == {'address': address, 'file': 'key.json', 'opened': True}
    wrong = keys('show', 'key.json', '--password-file=other')
    assert wrong.returncode == 1
    assert 'password is wrong' in wrong.stderr


def test_import_gives_the_known_address(keys, secret, tmp_path):
    secret('pass', 'x')
    secret('raw', f'0x{KEY}\n')
    taken = keys('import', 'key.json', 'raw', '--password-file=pass')
    assert (taken.returncode, taken.stdout) == (0, ADDRESS + '\n')
    assert KEY not in (tmp_path / 'key.json').read_text()
    assert KEY not in taken.stdout + taken.stderr


@pytest.mark.parametrize('text', ['', 'zz' * 32, KEY[:-2], KEY + '00', '00' * 32, 'ff' * 32, f'{KEY}\n{KEY}'])
def test_what_is_no_key_makes_no_file(keys, secret, tmp_path, text):
    secret('pass', 'x')
    secret('raw', text)
    refused = keys('import', 'key.json', 'raw', '--password-file=pass')
    assert refused.returncode == 1
    assert not (tmp_path / 'key.json').exists()
    assert KEY not in refused.stderr


def test_existing_file_is_left_alone(keys, secret, tmp_path):
    secret('pass', 'x')
    secret('key.json', 'mine')
    refused = keys('new', 'key.json', '--password-file=pass')
    assert refused.returncode == 1
    assert 'exists already' in refused.stderr
    assert (tmp_path / 'key.json').read_text() == 'mine'


def test_secrets_open_to_others_are_refused(keys, secret, tmp_path):
    secret('pass', 'x', 0o644)
    refused = keys('new', 'key.json', '--password-file=pass')
    assert refused.returncode == 1
    assert 'chmod 600' in refused.stderr
    assert not (tmp_path / 'key.json').exists()


def test_without_a_terminal_the_option_is_named(keys, tmp_path):
    refused = keys('new', 'key.json')
    assert refused.returncode == 1
    assert '--password-file' in refused.stderr
    assert not (tmp_path / 'key.json').exists()


def test_typed_secrets_are_not_shown(reservewatch, tmp_path):
    program = [reservewatch, 'keys', 'import', 'key.json']
    status, shown = on_terminal(program, tmp_path, KEY, 'swordfish', 'swordfish')
    assert status == 0, shown
    assert ADDRESS in shown
    assert KEY not in shown and 'swordfish' not in shown


def test_differing_passwords_make_no_file(reservewatch, tmp_path):
    status, shown = on_terminal([reservewatch, 'keys', 'new', 'key.json'], tmp_path, 'one', 'two')
    assert status == 1
    assert 'differ' in shown
    assert not (tmp_path / 'key.json').exists()
