"""Sets up, builds and tests everything, from a clean clone or again.

    contrib/test           all: checks, unit and functional tests, and the unit, simulation and
                           fuzz corpus tests once more under the address and UB sanitizers
    contrib/test --quick   builds and runs the unit tests only

Needs no root when contrib/setup finds nothing missing. Ends with "N passed, N failed, N
skipped" over all checks and tests, and with status 1 if one failed.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
C_FOLDERS = ('src', 'spv', 'store', 'feeds', 'tests')
JOBS = str(len(os.sched_getaffinity(0)))
# A log's end says why; the whole is in the build folder.
LOG_LINES = 60

# cmocka's own account of one program: "[  PASSED  ] 5 test(s)."
CMOCKA = re.compile(r'^\[ *(PASSED|FAILED|SKIPPED) *\] (\d+) test\(s\)', re.M)


class Tally:
    """What was counted so far."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def __str__(self):
        return f'{self.passed} passed, {self.failed} failed, {self.skipped} skipped'


TALLY = Tally()


def say(text):
    print(text, flush=True)


def tail(text):
    lines = text.rstrip('\n').split('\n')
    return '\n'.join(['...'] * (len(lines) > LOG_LINES) + lines[-LOG_LINES:])


def run(command, limit, **environment):
    """Status and output of a command, which has `limit` seconds; status None when they pass."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env={**os.environ, **environment},
                               errors='replace', start_new_session=True)
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return None, f'{output}\n{command[0]}: stopped after {limit} s'


def phase(name):
    """Prints a function's name and how long it took, with what it returns as remark."""
    def decorate(function):
        def timed(*arguments):
            start = time.monotonic()
            remark = function(*arguments)
            say(f'{name}: {remark or "done"} ({time.monotonic() - start:.1f} s)')
        return timed
    return decorate


def must(command, limit, **environment):
    """The output of a command without which nothing else makes sense."""
    status, output = run(command, limit, **environment)
    if status != 0:
        say(tail(output))
        say(f'{" ".join(command[:3])}: failed')
        TALLY.add(failed=1)
        finish()
    return output


def check(command, limit):
    """Counts a command as one test."""
    status, output = run(command, limit)
    if status == 0:
        TALLY.add(passed=1)
        return 'clean'
    say(tail(output))
    TALLY.add(failed=1)
    return 'FAILED'


def finish():
    say(str(TALLY))
    sys.exit(1 if TALLY.failed else 0)


def c_files(*ends):
    found = []
    for top in C_FOLDERS:
        for folder, folders, names in os.walk(os.path.join(ROOT, top)):
            folders.sort()
            found += [os.path.relpath(os.path.join(folder, name), ROOT)
                      for name in sorted(names) if name.endswith(ends)]
    return found


@phase('setup')
def setup():
    must(['contrib/setup', '--tests'], 900)


@phase('node')
def find_node():
    os.environ['BITCOIND'] = must(['contrib/bitcoin-node'], 600).strip().split('\n')[-1] + '/bitcoind'
    return os.environ['BITCOIND']


def build(folder, *options):
    again = ['--reconfigure'] if os.path.exists(os.path.join(ROOT, folder, 'build.ninja')) else []
    must(['meson', 'setup', *again, folder, '-Dtests=true', *options], 300)
    must(['ninja', '-C', folder, '-j', JOBS], 1200)


@phase('build')
def build_plain():
    build('build')


# The optimizer's "maybe uninitialized" is wrong too often under the sanitizers to be an error.
@phase('build-asan')
def build_sanitized():
    build('build-asan', '-Db_sanitize=address,undefined', '-Dwerror=false')


@phase('floors')
def floors():
    status, output = run(['contrib/check-floors', '--self-test'], 60)
    if status != 0:
        say(tail(output))
        TALLY.add(failed=1)
        return 'self-test FAILED'
    return check(['contrib/check-floors'], 60)


@phase('format')
def formatted():
    return check(['clang-format', '--dry-run', '-Werror', *c_files('.c', '.h')], 120)


@phase('cppcheck')
def cppcheck():
    return check(['cppcheck', '-q', '-j', JOBS, '--error-exitcode=1', '--inline-suppr', '--std=c11',
                  '--enable=portability', '--suppress=missingInclude', '--suppress=unusedStructMember',
                  # It takes an array handed to another file's function as read there.
                  '--suppress=uninitvar', '--suppress=legacyUninitvar',
                  # Looked for with one job only, and taken for real where a test asserted otherwise.
                  '--suppress=ctuuninitvar', '--suppress=ctunullpointer',
                  '-D_GNU_SOURCE', '-D__GNUC__=12', '--suppress=unknownMacro', '-Isrc', '-I.', *C_FOLDERS], 300)


@phase('clang-tidy')
def clang_tidy():
    """Sources of the program only; its headers are seen through them."""
    sources = [f for f in c_files('.c') if not f.startswith('tests/')]
    command = 'printf "%s\\n" "$@" | xargs -r -P ' + JOBS + ' -n 4 clang-tidy --quiet -p build'
    status, output = run(['sh', '-c', command, 'sh', *sources], 600)
    if status == 0:
        TALLY.add(passed=1)
        return 'clean'
    # The way that the analyzer went is pages long; one line a finding says where to look.
    found = {os.path.relpath(os.path.join('build', line) if line.startswith('..') else line, '')
             for line in output.replace(ROOT + '/', '').split('\n') if re.search(r': (error|warning): ', line)}
    say('\n'.join(sorted(found)) or tail(output))
    TALLY.add(failed=1)
    return 'FAILED'


def count_program(test):
    """Adds one of meson's tests to the tally; a cmocka program counts each of its cases."""
    cases = {'PASSED': 0, 'FAILED': 0, 'SKIPPED': 0}
    for what, number in CMOCKA.findall(test.get('stdout', '') + test.get('stderr', '')):
        cases[what] += int(number)
    good = test['result'] in ('OK', 'EXPECTEDFAIL')
    if not good and test['result'] != 'SKIP':
        say(f'--- {test["name"]}: {test["result"]}')
        say(tail(test.get('stdout', '') + test.get('stderr', '')))
        cases['FAILED'] = max(cases['FAILED'], 1)
    elif not any(cases.values()):
        cases['PASSED' if good else 'SKIPPED'] = 1
    TALLY.add(cases['PASSED'], cases['FAILED'], cases['SKIPPED'])


def meson_tests(folder, suites):
    """Runs suites of meson's tests; a suite that isn't there yet has no tests."""
    log = os.path.join(ROOT, folder, 'meson-logs', 'testlog.json')
    if os.path.exists(log):
        os.unlink(log)
    before = (TALLY.passed, TALLY.failed, TALLY.skipped)
    chosen = [argument for suite in suites for argument in ('--suite', suite)]
    status, output = run(['meson', 'test', '-C', folder, '--no-rebuild', '--num-processes', JOBS, *chosen],
                         900, ASAN_OPTIONS='abort_on_error=1:detect_stack_use_after_return=1',
                         UBSAN_OPTIONS='halt_on_error=1:abort_on_error=1:print_stacktrace=1')
    if os.path.exists(log):
        with open(log, encoding='utf-8') as file:
            for line in file:
                count_program(json.loads(line))
    if status != 0 and TALLY.failed == before[1]:
        say(tail(output))
        TALLY.add(failed=1)
    return (f'{TALLY.passed - before[0]} passed, {TALLY.failed - before[1]} failed, '
            f'{TALLY.skipped - before[2]} skipped')


@phase('unit')
def unit():
    return meson_tests('build', ['unit'])


@phase('planted bugs')
def planted():
    return meson_tests('build', ['planted'])


@phase('contracts')
def contracts():
    """forge's tests; the tool's own closing lines are counted."""
    status, output = run(['contrib/contracts-test'], 1200)
    passed = failed = skipped = 0
    for line in re.findall(r'^Suite result: .*$', output, re.M):
        numbers = re.search(r'(\d+) passed; (\d+) failed; (\d+) skipped', line)
        passed, failed, skipped = (a + int(b) for a, b in zip((passed, failed, skipped), numbers.groups()))
    if status != 0:
        say(tail(output))
        failed = max(failed, 1)
    TALLY.add(passed, failed, skipped)
    return f'{passed} passed, {failed} failed, {skipped} skipped'


@phase('sanitized')
def sanitized():
    return meson_tests('build-asan', ['unit', 'sim', 'fuzz'])


def pytest_python():
    for python in ('/usr/bin/python3', 'python3'):
        if shutil.which(python) and run([python, '-c', 'import pytest, xdist'], 60)[0] == 0:
            return python
    say('pytest is missing: run contrib/setup --tests')
    TALLY.add(failed=1)
    return finish()


@phase('functional')
def functional():
    report = os.path.join(ROOT, 'build', 'functional.xml')
    if os.path.exists(report):
        os.unlink(report)
    status, output = run([pytest_python(), '-B', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-rs',
                          '-n', JOBS, '--dist', 'loadgroup',
                          f'--junitxml={report}', 'tests/functional'], 1800,
                         RESERVEWATCH=os.environ.get('RESERVEWATCH', os.path.join(ROOT, 'build', 'reservewatch')))
    passed = failed = skipped = 0
    if os.path.exists(report):
        for suite in xml.etree.ElementTree.parse(report).iter('testsuite'):
            count = {key: int(suite.get(key, 0)) for key in ('tests', 'failures', 'errors', 'skipped')}
            failed += count['failures'] + count['errors']
            skipped += count['skipped']
            passed += count['tests'] - count['failures'] - count['errors'] - count['skipped']
    if status != 0:
        failed = max(failed, 1)
        say(output)
    TALLY.add(passed, failed, skipped)
    return f'{passed} passed, {failed} failed, {skipped} skipped'


def main():
    if sys.argv[1:] not in ([], ['--quick']):
        sys.exit('usage: contrib/test [--quick]')
    setup()
    if sys.argv[1:]:
        build_plain()
        unit()
        finish()
    find_node()
    build_plain()
    floors()
    formatted()
    cppcheck()
    clang_tidy()
    unit()
    planted()
    contracts()
    functional()
    build_sanitized()
    sanitized()
    finish()


if __name__ == '__main__':
    main()
