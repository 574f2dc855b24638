#include "feeds/evm/eip712.h"

#include "feed_vectors.h"

/* Equal to the contract's DOMAIN_SEPARATOR() and hashReport(). */
static void test_contract_agrees(void **state)
{
    (void)state;
    struct evm_address contract = vector_address(VECTOR_CONTRACT);
    struct evm_report report = vector_report();
    struct evm_hash feed_id, separator, struct_hash, digest;
    reserve_feed_id(&feed_id, "wbtc");
    assert_hex(feed_id.b, 32, VECTOR_FEED_ID);
    eip712_domain_separator(&separator, VECTOR_CHAIN_ID, &contract);
    assert_hex(separator.b, 32, VECTOR_SEPARATOR);
    eip712_report_hash(&struct_hash, &report, &feed_id, 1);
    eip712_digest(&digest, &separator, &struct_hash);
    assert_hex(digest.b, 32, VECTOR_DIGEST);
}

static struct evm_hash digest_of(const struct evm_report *report, uint32_t config_id,
                                 uint64_t chain_id, const char *feed)
{
    struct evm_address contract = vector_address(VECTOR_CONTRACT);
    struct evm_hash feed_id, separator, struct_hash, digest;
    reserve_feed_id(&feed_id, feed);
    eip712_domain_separator(&separator, chain_id, &contract);
    eip712_report_hash(&struct_hash, report, &feed_id, config_id);
    eip712_digest(&digest, &separator, &struct_hash);
    return digest;
}

/* A signature is good for one report, on one chain, under one configuration. */
static void test_each_field_counts(void **state)
{
    (void)state;
    struct evm_report base = vector_report(), changed[6];
    struct evm_hash digests[10];
    for (size_t i = 0; i < 6; i++)
        changed[i] = base;
    changed[0].round++;
    changed[1].balance.sat++;
    changed[2].height++;
    changed[3].block.b[0] ^= 1;
    changed[4].observed_at.s++;
    changed[5].set_hash[31] ^= 1;
    for (size_t i = 0; i < 6; i++)
        digests[i] = digest_of(&changed[i], 1, VECTOR_CHAIN_ID, "wbtc");
    digests[6] = digest_of(&base, 2, VECTOR_CHAIN_ID, "wbtc");
    digests[7] = digest_of(&base, 1, VECTOR_CHAIN_ID + 1, "wbtc");
    digests[8] = digest_of(&base, 1, VECTOR_CHAIN_ID, "tbtc");
    digests[9] = digest_of(&base, 1, VECTOR_CHAIN_ID, "wbtc");
    for (size_t i = 0; i < 10; i++) {
        for (size_t j = 0; j < i; j++)
            assert_false(evm_hash_equal(&digests[i], &digests[j]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract_agrees),
        cmocka_unit_test(test_each_field_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
