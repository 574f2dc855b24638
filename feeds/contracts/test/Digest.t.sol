// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";

/// @dev The contract's digests against forge's own EIP-712, which starts from typed data in JSON.
contract DigestTest is FeedTest {
    function setUp() public {
        deploy(5, 3);
    }

    function number(string memory name, uint256 value) private pure returns (string memory) {
        return string.concat('"', name, '":"', vm.toString(value), '",');
    }

    function word(string memory name, bytes32 value) private pure returns (string memory) {
        return string.concat('"', name, '":"', vm.toString(value), '"');
    }

    function field(string memory kind, string memory name) private pure returns (string memory) {
        return string.concat('{"name":"', name, '","type":"', kind, '"}');
    }

    function typedData(ReserveFeed.Report memory report, uint256 id, uint256 chain)
        private
        view
        returns (string memory)
    {
        string memory domainType = string.concat(
            '"EIP712Domain":[',
            field("string", "name"),
            ",",
            field("string", "version"),
            ",",
            field("uint256", "chainId"),
            ",",
            field("address", "verifyingContract"),
            "]"
        );
        string memory reportType = string.concat(
            string.concat(
                '"ReserveReport":[',
                field("bytes32", "feedId"),
                ",",
                field("uint32", "configId"),
                ",",
                field("uint32", "round"),
                ",",
                field("uint64", "balanceSat"),
                ","
            ),
            field("uint32", "btcHeight"),
            ",",
            field("bytes32", "btcBlockHash"),
            ",",
            field("uint64", "observedAt"),
            ",",
            field("bytes32", "setHash"),
            "]"
        );
        string memory domain = string.concat(
            '"domain":{"name":"ReserveFeed","version":"1",',
            number("chainId", chain),
            '"verifyingContract":"',
            vm.toString(address(feed)),
            '"}'
        );
        string memory message = string.concat(
            string.concat('"message":{', word("feedId", FEED_ID), ",", number("configId", id)),
            number("round", report.round),
            number("balanceSat", report.balanceSat),
            number("btcHeight", report.btcHeight),
            word("btcBlockHash", report.btcBlockHash),
            ",",
            number("observedAt", report.observedAt),
            word("setHash", report.setHash),
            "}"
        );
        return string.concat(
            '{"types":{',
            domainType,
            ",",
            reportType,
            '},"primaryType":"ReserveReport",',
            domain,
            ",",
            message,
            "}"
        );
    }

    function agrees(ReserveFeed.Report memory report, uint256 id, uint256 chain) private view {
        same(feed.hashReport(report), vm.eip712HashTypedData(typedData(report, id, chain)), "digest");
    }

    function test_digest() public view {
        agrees(firstReport(), 1, block.chainid);
    }

    function test_digest_changes_with_the_configuration() public {
        bytes32 before = feed.hashReport(firstReport());
        vm.prank(OWNER);
        feed.revokeOperator(team[0]);
        check(feed.hashReport(firstReport()) != before, "another digest");
        agrees(firstReport(), 2, block.chainid);
    }

    /// @dev On a chain that split off with an id of its own, signatures are others.
    function test_digest_follows_the_chain_id() public {
        bytes32 here = feed.DOMAIN_SEPARATOR();
        vm.chainId(1337);
        check(feed.DOMAIN_SEPARATOR() != here, "another domain");
        agrees(firstReport(), 1, 1337);
        (,,, uint256 chain,,,) = feed.eip712Domain();
        same(chain, 1337, "eip712Domain's chainId");
    }

    function testFuzz_digest(ReserveFeed.Report memory report) public view {
        agrees(report, 1, block.chainid);
    }

    function testFuzz_digest_depends_on_every_field(uint8 which, ReserveFeed.Report memory report)
        public
        view
    {
        bytes32 before = feed.hashReport(report);
        which %= 6;
        if (which == 0) report.round ^= 1;
        if (which == 1) report.balanceSat ^= 1;
        if (which == 2) report.btcHeight ^= 1;
        if (which == 3) report.btcBlockHash ^= bytes32(uint256(1));
        if (which == 4) report.observedAt ^= 1;
        if (which == 5) report.setHash ^= bytes32(uint256(1));
        check(feed.hashReport(report) != before, "another digest");
    }

    /// @dev EIP-5267's description is enough to make the domain separator.
    function test_domain() public view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chain,
            address verifying,
            bytes32 salt,
            uint256[] memory extensions
        ) = feed.eip712Domain();
        check(fields == 0x0f, "fields");
        same(name, "ReserveFeed", "name");
        same(version, "1", "version");
        same(chain, block.chainid, "chainId");
        same(verifying, address(feed), "verifyingContract");
        same(salt, 0, "salt");
        same(extensions.length, 0, "extensions");
        bytes32 typeHash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 expected = keccak256(
            abi.encode(typeHash, keccak256(bytes(name)), keccak256(bytes(version)), chain, verifying)
        );
        same(feed.DOMAIN_SEPARATOR(), expected, "DOMAIN_SEPARATOR");
    }

    /// @dev Two feeds share neither domain nor, on another contract, digests.
    function test_two_feeds_share_no_digest() public {
        bytes32 before = feed.hashReport(firstReport());
        ReserveFeed.Report memory report = firstReport();
        bytes memory signed = signatures(report, 3);
        deploy(5, 3);
        check(feed.hashReport(report) != before, "another digest");
        vm.expectRevert();
        feed.submit(report, signed);
    }
}
