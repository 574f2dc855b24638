#include "app/command.h"

const struct command commands[] = {
    {
        .name = "run",
        .usage = "",
        .summary = "watch, in the foreground",
        .help =
            "Connect to the Bitcoin peers of connect=, keep the coins of every listed\n"
            "script, sample each feed's reserve and publish it. Logs go to stderr.\n"
            "SIGTERM and SIGINT end it in good order; SIGHUP reads the lists again.\n"
            "\n"
            "Example:\n"
            "  reservewatch --conf /etc/reservewatch/reservewatch.conf run\n"
            "\n"
            "Exit status: 0 ended by a signal, 1 failed, 2 configuration or a list at\n"
            "fault, 4 another watcher holds the datadir (its pid is named), 5 the "
            "ledger\n"
            "was written by a newer version.\n",
        .needs_config = true,
        .run = cmd_run,
    },
    {
        .name = "check",
        .usage = "[--json]",
        .summary = "read configuration and lists, show what would be watched",
        .help =
            "Read the configuration and every list, and print what `run` would watch:\n"
            "scripts by kind, births, feeds, overlaps. Every fault is printed with its\n"
            "file, line and, in a list, column. Needs no watcher and no network.\n"
            "\n"
            "Example:\n"
            "  reservewatch --conf reservewatch.conf check\n"
            "\n"
            "Exit status: 0 in order, 2 faults.\n",
        .json = true,
        .run = cmd_check,
    },
    {
        .name = "status",
        .usage = "[--json]",
        .summary = "phase, heights, peers, gates, feeds, what is pending",
        .help =
            "Print how far the watcher is and whether each gate holds. Without a "
            "running\n"
            "watcher it says `stopped`, and what was known last. With mempool=1, also\n"
            "transactions that peers have announced: pending, neither confirmed nor\n"
            "verified, counted by no sum. With node_rpc=, also what one's own node "
            "says;\n"
            "with keep_filters=1, how many filters are on the disk.\n"
            "\n"
            "Example:\n"
            "  reservewatch status\n"
            "\n"
            "Exit status: 0 every gate holds, 1 failed, 3 a gate fails, a feed's "
            "newest\n"
            "sample isn't good, or the watcher is stopped.\n",
        .json = true,
        .needs_config = true,
        .run = cmd_status,
    },
    {
        .name = "reserves",
        .usage = "[FEED] [--json]",
        .summary = "newest good sample of each feed",
        .help = "Print the newest good sample of each feed, or of one, and whether the "
                "newest\n"
                "sample is good. `stale` says that there was none for two intervals.\n"
                "\n"
                "Example:\n"
                "  reservewatch reserves wbtc --json\n"
                "\n"
                "Exit status: 0 every sample shown is good and fresh, 1 failed, 2 no "
                "such feed,\n"
                "3 a sample is refused, stale or missing.\n",
        .arguments_max = 1,
        .json = true,
        .needs_config = true,
        .run = cmd_reserves,
    },
    {
        .name = "coins",
        .usage = "FEED [--json | --csv]",
        .summary = "coins of a feed at its height",
        .help =
            "Print each coin that the feed holds at its height, the tip less its\n"
            "confirmations, immature coinbase included.\n"
            "\n"
            "Example:\n"
            "  reservewatch coins wbtc --csv > coins.csv\n"
            "\n"
            "Exit status: 0 done, 1 failed, 2 no such feed, 3 the coins aren't known\n"
            "yet: scripts are still being scanned, or the chain is too short.\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .json = true,
        .csv = true,
        .needs_config = true,
        .run = cmd_coins,
    },
    {
        .name = "publications",
        .usage = "FEED [--json]",
        .summary = "what was published, and what is on its way",
        .help = "Print the feed's outbox, oldest first: each publication, why it was due "
                "and\n"
                "what became of it.\n"
                "\n"
                "Example:\n"
                "  reservewatch publications wbtc\n"
                "\n"
                "Exit status: 0 done, 1 failed, 2 no such feed.\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .json = true,
        .needs_config = true,
        .run = cmd_publications,
    },
    {
        .name = "publish",
        .usage = "FEED --dry-run [--json]",
        .summary = "what would be published now, and why, or why not",
        .help =
            "Compare the feed's newest good sample with what stands where it publishes "
            "to\n"
            "(for type=evm the endpoint is asked) and say what the watcher would do: due "
            "and\n"
            "why, nothing due, WAITING for a higher block, suppressed while a round is "
            "on "
            "its\n"
            "way, or refused and why. Sends nothing, changes nothing.\n"
            "\n"
            "Example:\n"
            "  reservewatch publish wbtc --dry-run\n"
            "\n"
            "Exit status: 0 said, 1 failed, 2 no such feed, 3 refused.\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .json = true,
        .dry_run = true,
        .needs_config = true,
        .run = cmd_publish,
    },
    {
        .name = "audit",
        .usage = "[--json]",
        .summary = "check every invariant of the ledger",
        .help = "Add everything up again and check that headers, coins, events, sums, "
                "samples\n"
                "and publications fit together. Changes nothing; the watcher may run.\n"
                "\n"
                "Example:\n"
                "  reservewatch audit\n"
                "\n"
                "Exit status: 0 no fault, 1 faults, or it couldn't be checked.\n",
        .json = true,
        .needs_config = true,
        .run = cmd_audit,
    },
    {
        .name = "import-headers",
        .usage = "FILE|URL [--filter-headers=FILE|URL] [--json]",
        .summary = "fill a new ledger with block headers from a file",
        .help =
            "Store the chain that a file of block headers holds, so that a new watcher\n"
            "starts in seconds: 80 bytes a block as on the wire, from genesis on, with "
            "or\n"
            "without the 10 bytes that neutrino's import files begin with. Every header\n"
            "is checked as if a peer had sent it, before anything is stored; a file may\n"
            "lack blocks or be another chain, which peers show, but it can't lie.\n"
            "\n"
            "--filter-headers: also the filter headers (BIP 157, basic), 32 bytes a "
            "block\n"
            "in the same form. They must be those that the release and "
            "filter_checkpoint=\n"
            "name; else they weigh no more than a peer's word: where the first peer\n"
            "differs and nobody stands for them, they give way.\n"
            "\n"
            "The watcher must not run. Interrupted (Ctrl-C), it goes on when run again. "
            "A\n"
            "ledger that has more headers than the file, or others, stays as it is.\n"
            "\n"
            "Example:\n"
            "  reservewatch import-headers https://example.org/headers.bin\n"
            "\n"
            "Exit status: 0 the ledger has every header of the file, 1 failed, or "
            "refused,\n"
            "2 configuration, 4 a watcher holds the datadir (its pid is named).\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .json = true,
        .filter_headers = true,
        .needs_config = true,
        .run = cmd_import,
    },
    {
        .name = "keys",
        .usage = "new|show|import FILE [KEY_FILE] [--password-file=FILE] [--json]",
        .summary = "make or show an operator's key",
        .help = "new     make a key and seal it in FILE (keystore v3, mode 0600)\n"
                "show    print the address of the key in FILE; with a password, open it "
                "first\n"
                "import  seal a private key of 64 hex digits, from the owner-only "
                "KEY_FILE or\n"
                "        typed\n"
                "\n"
                "Prints the address, never the key. The password is the only line of an\n"
                "owner-only file, or asked for without echo. Without it the key is lost: "
                "back\n"
                "up FILE, and keep the password elsewhere. Give each watcher a key of "
                "its own.\n"
                "\n"
                "Example:\n"
                "  reservewatch keys new operator.json --password-file=operator.pass\n"
                "\n"
                "Exit status: 0 done, 1 failed, 2 the command line is at fault.\n",
        .arguments_min = 2,
        .arguments_max = 3,
        .json = true,
        .password_file = true,
        .run = cmd_keys,
    },
    {
        .name = "reload",
        .usage = "[--json]",
        .summary = "have the running watcher read the lists again",
        .help =
            "Ask the running watcher, through the control socket in its datadir, to "
            "read\n"
            "its lists again, all or none. Other keys that have changed take a restart;\n"
            "its log names them. Only the watcher's user and root may ask.\n"
            "\n"
            "Example:\n"
            "  reservewatch check && reservewatch reload\n"
            "\n"
            "Exit status: 0 reloaded, 1 no watcher runs, or it refused the new lists: "
            "the\n"
            "old ones stay.\n",
        .json = true,
        .needs_config = true,
        .run = cmd_reload,
    },
    {
        .name = "rescan",
        .usage = "[--from=HEIGHT] [--json]",
        .summary = "have the running watcher scan the blocks again",
        .help =
            "Ask the running watcher to forget what it knows of the blocks from HEIGHT "
            "on\n"
            "(without --from: of all) and to scan them again, where `audit` finds faults "
            "in\n"
            "coins, events or sums. Headers stay. Until it is done the gate synced fails "
            "and\n"
            "nothing is published; samples above HEIGHT become retracted.\n"
            "\n"
            "Example:\n"
            "  reservewatch audit || reservewatch rescan\n"
            "\n"
            "Exit status: 0 begun, 1 no watcher runs, or it couldn't.\n",
        .json = true,
        .from = true,
        .needs_config = true,
        .run = cmd_rescan,
    },
    {
        .name = "peers",
        .usage = "[unban|distrust ADDR] [--json]",
        .summary = "peers, what they cost, and bans",
        .help = "Print how many addresses are known, the running watcher's peers with "
                "what they\n"
                "have sent and been sent, and who is banned, until when and for which "
                "proof.\n"
                "\n"
                "unban     let the watcher dial ADDR again\n"
                "distrust  let go of the peer at ADDR, forget what it said of filters, "
                "and ban\n"
                "          it for a day\n"
                "\n"
                "ADDR is as in the tables: an address of connect= with its port, any "
                "other\n"
                "without. Only the watcher's user and root may change bans.\n"
                "\n"
                "Example:\n"
                "  reservewatch peers unban node.example.org:8333\n"
                "\n"
                "Exit status: 0 done, 1 failed, 2 the command line or the configuration "
                "is at\n"
                "fault.\n",
        .arguments_max = 2,
        .json = true,
        .needs_config = true,
        .run = cmd_peers,
    },
};
const size_t command_count = sizeof(commands) / sizeof(*commands);
