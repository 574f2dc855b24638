// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";

contract ReadingTest is FeedTest {
    function setUp() public {
        deploy(3, 2);
    }

    function test_NoDataPresent() public {
        bytes4 selector = ReserveFeed.NoDataPresent.selector;
        expectError(selector);
        feed.latestRoundData();
        expectError(selector);
        feed.getRoundData(0);
        expectError(selector);
        feed.getRoundData(1);
        expectError(selector);
        feed.roundHeight(1);
        submit(firstReport());
        expectError(selector);
        feed.getRoundData(0);
        expectError(selector);
        feed.getRoundData(2);
        expectError(selector);
        feed.roundHeight(2);
        expectError(selector);
        feed.getRoundData(type(uint80).max);
        // A round id of 80 bits isn't cut down to the 32 that rounds have.
        expectError(selector);
        feed.getRoundData((1 << 32) | 1);
    }

    function test_constants() public view {
        same(feed.decimals(), 8, "decimals");
        same(feed.version(), 1, "version");
        same(feed.description(), "Reserve of WBTC", "description");
        same(feed.feedId(), FEED_ID, "feedId");
    }

    function test_history() public {
        ReserveFeed.Report[] memory reports = new ReserveFeed.Report[](5);
        uint256[] memory times = new uint256[](5);
        for (uint256 i = 0; i < 5; ++i) {
            reports[i] = i == 0 ? firstReport() : nextReport(reports[i - 1]);
            times[i] = time();
            submit(reports[i]);
            pass(10 minutes);
        }
        for (uint80 i = 1; i <= 5; ++i) {
            (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
                feed.getRoundData(i);
            same(id, i, "round");
            same(answeredIn, i, "answeredInRound");
            same(uint256(answer), reports[i - 1].balanceSat, "answer");
            same(startedAt, reports[i - 1].observedAt, "startedAt");
            same(updatedAt, times[i - 1], "updatedAt");
            same(feed.roundHeight(i), reports[i - 1].btcHeight, "height");
        }
    }

    function test_state_before_the_first_round() public view {
        (uint32 round, uint32 id, uint8 k, uint8 n, uint64 balance, uint32 height, uint40 seen, uint40 put) =
            feed.state();
        same(round, 0, "round");
        same(id, 1, "configId");
        same(k, 2, "threshold");
        same(n, 3, "count");
        same(uint256(balance) + height + seen + put, 0, "the rest");
    }

    /// @dev state() is slot 0, whole: 256 bits from the low end, in the order that it returns.
    function testFuzz_state_is_one_slot(bytes32 slot) public {
        vm.store(address(feed), 0, slot);
        vm.record();
        (bool ok, bytes memory data) = address(feed).staticcall(abi.encodeCall(feed.state, ()));
        check(ok, "state()");
        (bytes32[] memory reads,) = vm.accesses(address(feed));
        for (uint256 i = 0; i < reads.length; ++i) {
            same(reads[i], 0, "the slot read");
        }
        uint256[8] memory words = abi.decode(data, (uint256[8]));
        uint8[8] memory bits = [32, 32, 8, 8, 64, 32, 40, 40];
        uint256 packed = 0;
        uint256 shift = 0;
        for (uint256 i = 0; i < 8; ++i) {
            check(words[i] >> bits[i] == 0, "a field within its bits");
            packed |= words[i] << shift;
            shift += bits[i];
        }
        same(shift, 256, "bits");
        same(bytes32(packed), slot, "slot 0");
    }

    /// @dev The latest round is read from the same slot, and a report writes two.
    function test_slots_touched() public {
        ReserveFeed.Report memory report = firstReport();
        bytes memory signed = signatures(report, 2);
        vm.record();
        feed.submit(report, signed);
        (, bytes32[] memory writes) = vm.accesses(address(feed));
        same(writes.length, 2, "writes of a report");
        vm.record();
        feed.latestRoundData();
        (bytes32[] memory reads,) = vm.accesses(address(feed));
        same(reads.length, 1, "reads of latestRoundData");
        same(reads[0], 0, "the slot of latestRoundData");
    }
}
