// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AggregatorV3Interface, ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";

/// @dev A dapp that reads a feed whose account and storage are cold.
contract Reader {
    function measure(AggregatorV3Interface feed) external view returns (uint256 gas, int256 answer) {
        uint256 before = gasleft();
        (, answer,,,) = feed.latestRoundData();
        gas = before - gasleft();
    }
}

/// @dev Gas by transaction, all of it: 21000, calldata, execution, refunds. Each call is a
/// transaction of its own (isolate), so storage is cold; the round before isn't the first.
/// The figures are in snapshots/ReserveFeed.json, and a run that differs from them fails.
contract GasTest is FeedTest {
    string private constant GROUP = "ReserveFeed";
    Reader private reader;

    function setUp() public {
        reader = new Reader();
    }

    function submitWith(uint8 k, string memory name) private {
        deploy(2 * uint256(k) - 1, k);
        ReserveFeed.Report memory report = firstReport();
        submit(report);
        pass(10 minutes);
        report = nextReport(report);
        feed.submit(report, signatures(report, k));
        vm.snapshotGasLastCall(GROUP, name);
    }

    function test_submit_with_1_signature() public {
        submitWith(1, "submit, 1 signature");
    }

    function test_submit_with_3_signatures() public {
        submitWith(3, "submit, 3 signatures");
    }

    function test_submit_with_5_signatures() public {
        submitWith(5, "submit, 5 signatures");
    }

    function test_submit_with_11_signatures() public {
        submitWith(11, "submit, 11 signatures");
    }

    function test_attest() public {
        deploy(5, 3);
        ReserveFeed.Report memory report = firstReport();
        submit(report);
        pass(10 minutes);
        report = nextReport(report);
        vm.prank(team[0]);
        feed.attest(report);
        vm.snapshotGasLastCall(GROUP, "attest, first of 3");
        vm.prank(team[1]);
        feed.attest(report);
        vm.snapshotGasLastCall(GROUP, "attest, second of 3");
        vm.prank(team[2]);
        feed.attest(report);
        vm.snapshotGasLastCall(GROUP, "attest, finalising");
    }

    /// @dev Not a transaction's gas but what a reading contract spends on the call.
    function test_cold_latestRoundData() public {
        deploy(1, 1);
        submit(firstReport());
        (uint256 gas, int256 answer) = reader.measure(feed);
        same(uint256(answer), BALANCE, "answer");
        vm.snapshotValue(GROUP, "latestRoundData, cold, from a contract", gas);
    }
}
