#!/usr/bin/env python3
"""Checks the simulator: each bug planted here, one edit of one source, must make it fail.

    planted.py BUILD SEED COUNT [NAME...]

BUILD is a built build folder with ninja. One source is edited in a copy, compiled, and linked
before the libraries, so that its symbols stand for the library's; everything else is shared. A
bug whose `old` isn't in the file exactly once is a failure, so that none can rot in silence.
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM = 'tests/sim/sim'
SEEDS_LIMIT = 240
# Where a durable commit costs nothing.
FAST = '/dev/shm'

# name, file, old, new
BUGS = [
    ('a peer is compared but for the last height', 'spv/filter_compare.c',
     'there && height <= claims->to; height++', 'there && height < claims->to; height++'),
    ('disputed heights are not fetched whole', 'spv/dispute.c',
     'height_set_add(&spv->whole, height);\n    lanes_whole(spv, height);', ''),
    ('a peer counts before it is compared', 'spv/filter_compare.c',
     'return peer->claims.compared >\n', 'return true || peer->claims.compared >\n'),
    ('filter headers proven false stay', 'spv/filter_chain.c',
     'if (from < spv->fh_cut)\n            spv->fh_cut = from;', ''),
    ('the cursor goes one too far', 'store/ledger_apply.c',
     'change->cursors[cohort] += (uint32_t)stage->count;',
     'change->cursors[cohort] += (uint32_t)stage->count + 1;'),
    ('a coinbase is mature after 99 blocks', 'store/tally.c',
     'coin->created <= height - COINBASE_MATURITY',
     'coin->created <= height + 1 - COINBASE_MATURITY'),
    ('a reorganisation gives spent coins not back', 'store/ledger_rewind.c',
     'if (event->kind != EVENT_CREDIT)\n        return coin_put(txn, &event->coin, error);',
     'if (event->kind != EVENT_CREDIT)\n        return STORE_OK;'),
    ('a spend in the block of its payment is missed', 'store/delta.c',
     '(created.count > 0 && map_find(&created, previous) != NULL) ||', ''),
    ('a payment at the birth itself does not count', 'store/ledger_apply.c',
     'if (height < change->state->birth_of[item->script])',
     'if (height <= change->state->birth_of[item->script])'),
    ("a feed's own birth is one too high", 'store/tally.c',
     'coin->created < entry->birth', 'coin->created <= entry->birth'),
    ('filters are matched without the last script', 'spv/script_words.c',
     'for (size_t i = 0; i < count; i++) {\n        size_t w = word_count(scripts[i]);\n        if (w > ',
     'for (size_t i = 0; i + 1 < count; i++) {\n        size_t w = word_count(scripts[i]);\n        if (w > '),
    ('filters that did not come are not asked for again', 'spv/lane_fetch.c',
     'slot_set(lane, slot, lane_wants(spv, lane, height));\n        } else if',
     '} else if'),
    ('heights whose kept filter is lost are passed over', 'spv/lane_kept.c',
     'slot_set(lane, slot, lane_wants(spv, lane, height));', 'slot_set(lane, slot, SLOT_DONE);'),
    ('a script paid twice in a transaction counts once', 'store/delta.c',
     'if (script == SCRIPT_ID_NONE)',
     'if (script == SCRIPT_ID_NONE || (i > 0 && bytes_equal(out[-1].script, out->script)))'),
    ('a block still being checked is taken for one without payments', 'spv/lane.c',
     'if (slot->state != SLOT_DONE)\n            break;', 'if (slot->state < SLOT_CHECKING)\n            break;'),
    ('the first block above a fork is not taken back', 'store/ledger_rewind.c',
     'if (event.height <= fork)', 'if (event.height <= fork + 1)'),
    ("a sum of the left branch stays", 'store/ledger_rewind.c',
     'tally_delete_from(change->txn, feed, fork + 1, error)',
     'tally_delete_from(change->txn, feed, fork + 2, error)'),
    ('what is spent above a height is not shown', 'store/ledger_read.c',
     'if (end == HEIGHT_NONE)\n        return sound;', 'if (end >= height)\n        return sound;'),
    ("the back lane keeps a left branch's filters", 'spv/lane_plan.c',
     'lane->target = goal;\n    follow_chain(spv, lane);',
     'lane->target = goal;\n    lane_truncate(spv, lane, goal);'),
    ('filter headers of the left branch stay', 'spv/filter_chain.c',
     'spv->fh_count = fork + 1;\n', 'spv->fh_count = fork + 2;\n'),
    ('headers of a left branch stay in the store', 'spv/header_sync.c',
     'if (!left && (spv->stores_pending', 'if ((spv->stores_pending'),
    ("a late answer is taken for a wrong one", 'spv/filter_sync.c',
     'if (!request)\n        return; /* late, or not asked for */',
     'if (!request) {\n        peer_drop(spv, peer, "unasked");\n        return;\n    }'),
    ('a wrong body condemns the block', 'spv/block.c',
     'check_not_nodes(body, error)) {\n        return BLOCK_WRONG_BODY;',
     'check_not_nodes(body, error)) {\n        return BLOCK_INVALID;'),
]


def run(command, folder, limit=120):
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors='replace', timeout=limit,
                          check=False, env={**os.environ, 'TMPDIR': folder} if folder else None)
    return done.returncode, done.stdout


def after(command, option, value):
    """The command with another value of an option."""
    at = command.index(option)
    return command[:at + 1] + [value] + command[at + 2:]


class Build:
    """The commands with which a build folder makes the simulator."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, 'compile_commands.json'), encoding='utf-8') as file:
            self.compiles = {os.path.relpath(os.path.join(folder, entry['file']), ROOT):
                             shlex.split(entry['command']) for entry in json.load(file)}
        status, output = run(['ninja', '-n', SIM], folder)
        if status != 0 or 'no work to do' not in output:
            sys.exit(f'{folder}: older than the sources; run ninja there')
        status, output = run(['ninja', '-t', 'commands', '-s', SIM], folder)
        if status != 0:
            sys.exit(output)
        self.link = shlex.split(output.strip().split('\n')[-1])

    def compile(self, source, edited, target):
        """An object of the edited copy, as if it were the source."""
        command = self.compiles[source]
        for option, value in (('-o', target), ('-MF', target + '.d'), ('-MQ', target), ('-c', edited)):
            command = after(command, option, value)
        return run(command + ['-w'], self.folder)

    def link_with(self, target, instead):
        command = after(self.link, '-o', target)
        first = next(i for i, word in enumerate(command) if word.endswith('.o'))
        return run(command[:first] + [instead] + command[first:], self.folder)


def plant(build, bug, folder):
    """The simulator with the bug; or None and the reason."""
    _, source, old, new = bug
    with open(os.path.join(ROOT, source), encoding='utf-8') as file:
        text = file.read()
    if text.count(old) != 1:
        return None, f'{source}: the text to replace is there {text.count(old)} times: {old}'
    edited = os.path.join(folder, os.path.basename(source))
    with open(edited, 'w', encoding='utf-8') as file:
        file.write(text.replace(old, new))
    program = os.path.join(folder, 'sim')
    status, output = build.compile(source, edited, edited + '.o')
    if status == 0:
        status, output = build.link_with(program, edited + '.o')
    return (program, '') if status == 0 else (None, output)


def check(build, bug, seeds):
    """Whether the simulator finds the bug, and what is to be said."""
    with tempfile.TemporaryDirectory(dir=FAST if os.path.isdir(FAST) else None) as folder:
        program, reason = plant(build, bug, folder)
        if not program:
            return False, reason
        try:
            status, output = run([program, *seeds], folder, SEEDS_LIMIT)
        except subprocess.TimeoutExpired:
            return False, 'no end'
    found = [line for line in output.split('\n') if line.startswith('sim: seed')]
    if status != 0 and found:
        return True, found[0]
    return False, f'status {status}: {output.strip()[-300:]}'


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    build = Build(os.path.abspath(sys.argv[1]))
    seeds, wanted = sys.argv[2:4], sys.argv[4:]
    bugs = [bug for bug in BUGS if not wanted or any(word in bug[0] for word in wanted)]
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        control = pool.submit(run, [os.path.join(build.folder, SIM), *seeds], None, SEEDS_LIMIT)
        for bug, (good, text) in zip(bugs, pool.map(lambda bug: check(build, bug, seeds), bugs)):
            print(f'{"found" if good else "MISSED"}: {bug[0]}\n    {text}', flush=True)
            missed += not good
        status, output = control.result()
    print(f'{"passes" if status == 0 else "FAILS"}: without a bug\n    {output.strip()[-300:]}')
    print(f'{len(bugs) - missed} of {len(bugs)} bugs found')
    sys.exit(1 if missed or status != 0 else 0)


if __name__ == '__main__':
    main()
