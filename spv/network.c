#include "spv/network.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"

/* The bytes of a 32-bit word, last or first byte first. */
#define LE(w)                                                                            \
    (uint8_t)(w), (uint8_t)((w) >> 8), (uint8_t)((w) >> 16), (uint8_t)((w) >> 24)
#define BE(w)                                                                            \
    (uint8_t)((w) >> 24), (uint8_t)((w) >> 16), (uint8_t)((w) >> 8), (uint8_t)(w)
/* A hash written as it is shown, stored as on the wire. */
#define HASH(a, b, c, d, e, f, g, h)                                                     \
    {                                                                                    \
        LE(h), LE(g), LE(f), LE(e), LE(d), LE(c), LE(b), LE(a)                           \
    }
/* Chain work below 2^128. */
#define WORK(a, b, c, d)                                                                 \
    {                                                                                    \
        BE(0), BE(0), BE(0), BE(0), BE(a), BE(b), BE(c), BE(d)                           \
    }

/* Of the one transaction that the genesis blocks of all networks but testnet4 hold. */
#define GENESIS_MERKLE_ROOT                                                              \
    HASH(0x4a5e1e4b, 0xaab89f3a, 0x32518a88, 0xc31bc87f, 0x618f7667, 0x3e2cc77a,         \
         0xb2127b7a, 0xfdeda33b)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Multiples of 50 retarget periods; Bitcoin Core's assumed-valid block; a block after the
 * split of August 2026. */
static const struct checkpoint mainnet_checkpoints[] = {
    {100800,
     {HASH(0x00000000, 0x0000e383, 0xd43cc471, 0xc64a9a4a, 0x46794026, 0x989ef4ff,
           0x9611d5ac, 0xb704e47a)}},
    {201600,
     {HASH(0x00000000, 0x000003a5, 0xe28bef30, 0xad31f1f9, 0xbe706e91, 0xae9dda54,
           0x179a95c9, 0xf9cd9ad0)}},
    {302400,
     {HASH(0x00000000, 0x00000000, 0x472132c4, 0xdaaf358a, 0xcaf461ff, 0x1c3e9657,
           0x7a74e5eb, 0xf91bb170)}},
    {403200,
     {HASH(0x00000000, 0x00000000, 0x00c4272a, 0x5c68b4f5, 0x5e5af734, 0xe88ceab0,
           0x9abf73e9, 0xac3b6d01)}},
    {504000,
     {HASH(0x00000000, 0x00000000, 0x006cd44d, 0x7a940c79, 0xf94c7c27, 0x2d159ba1,
           0x9feb1589, 0x1aa1ea54)}},
    {604800,
     {HASH(0x00000000, 0x00000000, 0x0012145f, 0x8ffa7218, 0xd2d04ca6, 0x6b61835a,
           0x2a5eaec3, 0x3dffc098)}},
    {705600,
     {HASH(0x00000000, 0x00000000, 0x000d37df, 0xef7fe1c7, 0xbd22c893, 0xdbe4a942,
           0x72c8cf55, 0x6e40be99)}},
    {806400,
     {HASH(0x00000000, 0x00000000, 0x0004e0dd, 0x71764183, 0x2e782bd5, 0xa5b92cf8,
           0x0c64c092, 0xae1a8c8a)}},
    {938343,
     {HASH(0x00000000, 0x00000000, 0x0000cceb, 0xd6d74d91, 0x94d8dcdc, 0x1d177c47,
           0x8e094bfa, 0xd51ba5ac)}},
    {965246,
     {HASH(0x00000000, 0x00000000, 0x0000b96a, 0xb4c27a88, 0xf0394225, 0xbce8d8f8,
           0xf92027f2, 0x8563be1b)}},
};

/* The test networks': Bitcoin Core's assumed-valid blocks. */
static const struct checkpoint testnet3_checkpoints[] = {
    {4842348,
     {HASH(0x00000000, 0x7a61e423, 0x0b28ac5c, 0xb6b5e5a0, 0x130de37a, 0xc1faf2f8,
           0x987d2fa6, 0x505b67f4)}},
};

static const struct checkpoint testnet4_checkpoints[] = {
    {123613,
     {HASH(0x00000000, 0x02368b1e, 0x4ee27e2e, 0x85676ae6, 0xf9f9e695, 0x79b29093,
           0xe9a82c17, 0x0bf7cf8a)}},
};

static const struct checkpoint signet_checkpoints[] = {
    {293175,
     {HASH(0x00000008, 0x414aab61, 0x092ef93f, 0x1aacc54c, 0xf9e9f16a, 0xf29ddad4,
           0x93b908a0, 0x1ff5c329)}},
};

/* Filter headers as published in the sources of another light client (neutrino). */
static const struct filter_checkpoint mainnet_filter_checkpoints[] = {
    {100000,
     {HASH(0xf28cbc1a, 0xb369eb01, 0xb7b5fe8b, 0xf59763ab, 0xb73a3147, 0x1fe404a2,
           0x6a06be41, 0x53aa7fa5)}},
    {200000,
     {HASH(0xe5031471, 0x732f4fbf, 0xe7a25f6a, 0x03acc141, 0x3300d5c5, 0x6ae8e06b,
           0x95046b8e, 0x4c0f32b3)}},
    {300000,
     {HASH(0x1bd50220, 0xfcdde929, 0xca3143c9, 0x1d2dd9a9, 0xbfedb38c, 0x452ba98d,
           0xbb51e719, 0xbff8aa5b)}},
    {400000,
     {HASH(0x5d973ab1, 0xf1c569c7, 0x0deec1c1, 0xa8fb2e31, 0x7a260f16, 0x56edb3b2,
           0x62c65f78, 0xef192e3a)}},
    {500000,
     {HASH(0x5d16ca29, 0x3c9bdc0a, 0x9bc279b6, 0x3f99fb66, 0x1be38b09, 0x5a59a442,
           0x00a807ca, 0xaa631a3c)}},
    {540000,
     {HASH(0xbbabb3b7, 0x57ff0776, 0x971c5719, 0xe58a4fdc, 0x7f2a8159, 0xc9028be6,
           0x2896bc17, 0xba14dda1)}},
};

static const struct filter_checkpoint testnet3_filter_checkpoints[] = {
    {100000,
     {HASH(0x97c0633f, 0x14625627, 0xfcd13325, 0x0ad8cc52, 0x5937e776, 0xb5f3fd27,
           0x2b06d02c, 0x58b65a1c)}},
    {200000,
     {HASH(0x51aa817e, 0x5abe3acd, 0xcf103616, 0xb1a5736c, 0xaf84bc37, 0x73a7286e,
           0x9081108e, 0xcc38cc87)}},
    {400000,
     {HASH(0x4aab9b3d, 0x4312cd85, 0xcfcd48a0, 0x8b36c440, 0x2bfdc1e8, 0x395dcf42,
           0x36c3029d, 0xfa837c48)}},
    {600000,
     {HASH(0x713d9c91, 0x98e2dba0, 0x739e85aa, 0xb6875cb9, 0x51c36297, 0xb95a2d51,
           0x131aa691, 0x9753b55d)}},
    {800000,
     {HASH(0x0dafdff2, 0x7269a702, 0x93c120b1, 0x4b1f5e9a, 0x72a5e868, 0x8098cfc6,
           0x140b9d64, 0xf8325b99)}},
    {1000000,
     {HASH(0xc2043fa2, 0xf6eb5f8f, 0x8d2c5584, 0xf743187f, 0x36302ed8, 0x6b62c302,
           0xe31155f3, 0x78da9c5f)}},
    {1390000,
     {HASH(0xec71c508, 0xc02f59b2, 0xaf2f34b6, 0x4dfd79ff, 0xba55d9ef, 0x7d00589b,
           0x0a2c3178, 0xda89e4c0)}},
    {1400000,
     {HASH(0xf9ae1750, 0x483d4c8c, 0xe8251261, 0x6b1ded93, 0x2886af46, 0xdecb8d3e,
           0x57590793, 0x0542d9b3)}},
    {1500000,
     {HASH(0xdc0cfa13, 0xdaf09df9, 0xb8dbe753, 0x2f75ebdb, 0x4255860b, 0x295016b2,
           0xca4b7893, 0x94bc5090)}},
};

/* Bitcoin Core's; those without a published restriction of the service bits that they
 * answer for count as knowing ours. */
static const char *const mainnet_seeds[] = {
    "seed.bitcoin.sprovoost.nl",     "dnsseed.emzy.de",        "seed.bitcoin.wiz.biz",
    "seed.mainnet.achownodes.xyz",   "seed.bitcoin.sipa.be",   "dnsseed.bluematt.me",
    "seed.bitcoin.jonasschnelli.ch", "seed.btc.petertodd.net", NULL,
};

static const char *const testnet3_seeds[] = {
    "seed.testnet.bitcoin.sprovoost.nl",
    "seed.testnet.achownodes.xyz",
    "testnet-seed.bitcoin.jonasschnelli.ch",
    "seed.tbtc.petertodd.net",
    "testnet-seed.bluematt.me",
    NULL,
};

static const char *const testnet4_seeds[] = {
    "seed.testnet4.bitcoin.sprovoost.nl",
    "seed.testnet4.wiz.biz",
    NULL,
};

static const char *const signet_seeds[] = {
    "seed.signet.bitcoin.sprovoost.nl",
    "seed.signet.achownodes.xyz",
    NULL,
};

static const char *const no_seeds[] = {NULL};

static const struct network mainnet = {
    .name = "mainnet",
    .magic = 0xd9b4bef9,
    .port = 8333,
    .http_port = 8350,
    .p2pkh_version = 0,
    .p2sh_version = 5,
    .bech32_hrp = "bc",
    .retarget = RETARGET_WINDOW,
    .pow_limit_bits = 0x1d00ffff,
    .bip34_height = 227931,
    .bip66_height = 363725,
    .bip65_height = 388381,
    .segwit_height = 481824,
    .minimum_work = WORK(0x00000001, 0x128750f8, 0x2f4c3661, 0x53a3a030),
    .genesis =
        {
            .version = 1,
            .merkle_root = GENESIS_MERKLE_ROOT,
            .time = {1231006505},
            .bits = 0x1d00ffff,
            .nonce = 2083236893,
        },
    .genesis_hash = {HASH(0x00000000, 0x0019d668, 0x9c085ae1, 0x65831e93, 0x4ff763ae,
                          0x46a2a6c1, 0x72b3f1b6, 0x0a8ce26f)},
    .checkpoints = mainnet_checkpoints,
    .checkpoint_count = COUNT(mainnet_checkpoints),
    .filter_checkpoints = mainnet_filter_checkpoints,
    .filter_checkpoint_count = COUNT(mainnet_filter_checkpoints),
    .dns_seeds = mainnet_seeds,
    .filter_seeds = 4,
    .split_height = 961632,
    .subsidy_halving_interval = 210000,
};

static const struct network testnet3 = {
    .name = "testnet3",
    .magic = 0x0709110b,
    .port = 18333,
    .http_port = 18350,
    .p2pkh_version = 111,
    .p2sh_version = 196,
    .bech32_hrp = "tb",
    .retarget = RETARGET_TESTNET3,
    .pow_limit_bits = 0x1d00ffff,
    .bip34_height = 21111,
    .bip66_height = 330776,
    .bip65_height = 581885,
    .segwit_height = 834624,
    .minimum_work = WORK(0x00000000, 0x000017dd, 0xe1c649f3, 0x708d14b6),
    .genesis =
        {
            .version = 1,
            .merkle_root = GENESIS_MERKLE_ROOT,
            .time = {1296688602},
            .bits = 0x1d00ffff,
            .nonce = 414098458,
        },
    .genesis_hash = {HASH(0x00000000, 0x0933ea01, 0xad0ee984, 0x209779ba, 0xaec3ced9,
                          0x0fa3f408, 0x719526f8, 0xd77f4943)},
    .checkpoints = testnet3_checkpoints,
    .checkpoint_count = COUNT(testnet3_checkpoints),
    .filter_checkpoints = testnet3_filter_checkpoints,
    .filter_checkpoint_count = COUNT(testnet3_filter_checkpoints),
    .dns_seeds = testnet3_seeds,
    .filter_seeds = 2,
    .subsidy_halving_interval = 210000,
};

static const struct network testnet4 = {
    .name = "testnet4",
    .magic = 0x283f161c,
    .port = 48333,
    .http_port = 48350,
    .p2pkh_version = 111,
    .p2sh_version = 196,
    .bech32_hrp = "tb",
    .retarget = RETARGET_BIP94,
    .pow_limit_bits = 0x1d00ffff,
    .bip34_height = 1,
    .bip66_height = 1,
    .bip65_height = 1,
    .segwit_height = 1,
    .minimum_work = WORK(0x00000000, 0x000009a0, 0xfe15d017, 0x7d086304),
    .genesis =
        {
            .version = 1,
            .merkle_root = HASH(0x7aa0a7ae, 0x1e223414, 0xcb807e40, 0xcd57e667,
                                0xb718e42a, 0xaf9306db, 0x9102fe28, 0x912b7b4e),
            .time = {1714777860},
            .bits = 0x1d00ffff,
            .nonce = 393743547,
        },
    .genesis_hash = {HASH(0x00000000, 0xda84f2ba, 0xfbbc53de, 0xe25a72ae, 0x507ff491,
                          0x4b867c56, 0x5be350b0, 0xda8bf043)},
    .checkpoints = testnet4_checkpoints,
    .checkpoint_count = COUNT(testnet4_checkpoints),
    .dns_seeds = testnet4_seeds,
    .filter_seeds = 2,
    .split_height = 150308,
    .subsidy_halving_interval = 210000,
};

static const struct network signet = {
    .name = "signet",
    .magic = 0x40cf030a,
    .port = 38333,
    .http_port = 38350,
    .p2pkh_version = 111,
    .p2sh_version = 196,
    .bech32_hrp = "tb",
    .retarget = RETARGET_WINDOW,
    .pow_limit_bits = 0x1e0377ae,
    .bip34_height = 1,
    .bip66_height = 1,
    .bip65_height = 1,
    .segwit_height = 1,
    .minimum_work = WORK(0x00000000, 0x00000000, 0x00000b46, 0x3ea0a4b8),
    .genesis =
        {
            .version = 1,
            .merkle_root = GENESIS_MERKLE_ROOT,
            .time = {1598918400},
            .bits = 0x1e0377ae,
            .nonce = 52613770,
        },
    .genesis_hash = {HASH(0x00000008, 0x819873e9, 0x25422c1f, 0xf0f99f7c, 0xc9bbb232,
                          0xaf63a077, 0xa480a363, 0x3bee1ef6)},
    .checkpoints = signet_checkpoints,
    .checkpoint_count = COUNT(signet_checkpoints),
    .dns_seeds = signet_seeds,
    .filter_seeds = 2,
    .subsidy_halving_interval = 210000,
};

static const struct network regtest = {
    .name = "regtest",
    .magic = 0xdab5bffa,
    .port = 18444,
    .http_port = 18450,
    .p2pkh_version = 111,
    .p2sh_version = 196,
    .bech32_hrp = "bcrt",
    .retarget = RETARGET_NEVER,
    .pow_limit_bits = 0x207fffff,
    .bip34_height = 1,
    .bip66_height = 1,
    .bip65_height = 1,
    .segwit_height = 0,
    .minimum_work = {0},
    .genesis =
        {
            .version = 1,
            .merkle_root = GENESIS_MERKLE_ROOT,
            .time = {1296688602},
            .bits = 0x207fffff,
            .nonce = 2,
        },
    .genesis_hash = {HASH(0x0f9188f1, 0x3cb7b2c7, 0x1f2a335e, 0x3a4fc328, 0xbf5beb43,
                          0x6012afca, 0x590b1a11, 0x466e2206)},
    .checkpoints = NULL,
    .checkpoint_count = 0,
    .dns_seeds = no_seeds,
    .subsidy_halving_interval = 150,
};

static const struct network *const networks[] = {
    &mainnet, &testnet3, &testnet4, &signet, &regtest, NULL,
};

const struct network *network_find(const char *name)
{
    for (size_t i = 0; networks[i] != NULL; i++) {
        if (strcmp(networks[i]->name, name) == 0) {
            return networks[i];
        }
    }
    return NULL;
}

const struct network *const *network_all(void)
{
    return networks;
}

struct custom_signet {
    struct network network; /* first, so that freeing it frees the name */
    char name[sizeof("signet_") + 8];
};

struct network *network_signet_new(const uint8_t *challenge, size_t len)
{
    struct writer serialized;
    uint8_t hash[32];
    assert(len > 0 && len <= SIGNET_CHALLENGE_MAX);
    writer_init(&serialized);
    write_var_bytes(&serialized, (struct bytes){challenge, len});
    sha256d(hash, serialized.data, serialized.len);
    writer_release(&serialized);
    if (get_u32le(hash) == signet.magic) {
        return NULL;
    }
    struct custom_signet *custom = mem_zalloc(1, sizeof(*custom));
    memcpy(custom->name, "signet_", sizeof("signet_"));
    hex_encode(custom->name + strlen("signet_"), hash, 4);
    custom->network = signet;
    custom->network.name = custom->name;
    custom->network.magic = get_u32le(hash);
    custom->network.checkpoints = NULL;
    custom->network.checkpoint_count = 0;
    custom->network.dns_seeds = no_seeds;
    custom->network.filter_seeds = 0;
    memset(custom->network.minimum_work, 0, sizeof(custom->network.minimum_work));
    return &custom->network;
}
