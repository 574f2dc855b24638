// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";

contract AttestTest is FeedTest {
    ReserveFeed.Report private report;
    bytes32 private digest;

    function setUp() public {
        deploy(5, 3);
        report = firstReport();
        digest = feed.hashReport(report);
    }

    function attestBy(uint256 i) private {
        vm.prank(team[i]);
        feed.attest(report);
    }

    function round() private view returns (uint32 latest) {
        (latest,,,,,,,) = feed.state();
    }

    function test_the_third_equal_one_finalises() public {
        attestBy(4);
        attestBy(0);
        same(round(), 0, "round after two");
        (uint8 count, uint248 bitmap) = feed.votes(digest);
        same(count, 2, "votes after two");
        same(bitmap, 1 << 4 | 1, "voters after two");
        attestBy(2);
        same(round(), 1, "round after three");
        (count, bitmap) = feed.votes(digest);
        same(count, 3, "votes after three");
        same(bitmap, 1 << 4 | 1 << 2 | 1, "voters after three");
        (, int256 answer, uint256 startedAt, uint256 updatedAt,) = feed.latestRoundData();
        same(uint256(answer), BALANCE, "answer");
        same(startedAt, OBSERVED_AT, "startedAt");
        same(updatedAt, time(), "updatedAt");
    }

    function test_events() public {
        attestBy(0);
        attestBy(1);
        vm.expectEmit(address(feed));
        emit ReserveFeed.Attested(digest, team[2], 1, BALANCE);
        vm.expectEmit(address(feed));
        emit ReserveFeed.ReserveReported(1, HEIGHT, BLOCK_HASH, BALANCE, OBSERVED_AT, SET_HASH, 1, team[2]);
        vm.expectEmit(address(feed));
        emit ReserveFeed.AnswerUpdated(int256(uint256(BALANCE)), 1, time());
        attestBy(2);
    }

    function test_a_dissenter_does_not_count() public {
        attestBy(0);
        attestBy(1);
        report.balanceSat += 1;
        attestBy(2);
        same(round(), 0, "round");
        (uint8 count,) = feed.votes(feed.hashReport(report));
        same(count, 1, "the dissenter's votes");
        report.balanceSat -= 1;
        attestBy(3);
        same(round(), 1, "round with three equal ones");
    }

    function test_AlreadyAttested() public {
        attestBy(1);
        expectError(ReserveFeed.AlreadyAttested.selector, team[1]);
        attestBy(1);
    }

    function test_NotOperator() public {
        expectError(ReserveFeed.NotOperator.selector, OWNER);
        vm.prank(OWNER);
        feed.attest(report);
    }

    function test_a_vote_too_late() public {
        attestBy(0);
        attestBy(1);
        attestBy(2);
        expectError(ReserveFeed.BadRound.selector, 2, 1);
        attestBy(3);
    }

    function test_each_rule_holds_for_a_vote() public {
        report.round = 2;
        expectError(ReserveFeed.BadRound.selector, 1, 2);
        attestBy(0);
        report.round = 1;
        report.btcHeight = 0;
        expectError(ReserveFeed.HeightNotIncreasing.selector, 0, 0);
        attestBy(0);
        report.btcHeight = HEIGHT;
        report.observedAt = uint64(time()) + 16;
        expectError(ReserveFeed.TimeInFuture.selector, time() + 15, time() + 16);
        attestBy(0);
        report.observedAt = OBSERVED_AT;
        report.balanceSat = type(uint64).max;
        expectError(ReserveFeed.BalanceAboveSupply.selector, type(uint64).max);
        attestBy(0);
        report.balanceSat = BALANCE;
        attestBy(0);
        attestBy(1);
        pass(MAX_REPORT_AGE);
        expectError(ReserveFeed.ReportTooOld.selector, time() - MAX_REPORT_AGE, OBSERVED_AT);
        attestBy(2);
    }

    function test_votes_and_signatures_never_add_up() public {
        attestBy(3);
        attestBy(4);
        bytes memory signed = signatures(report, 2);
        expectError(ReserveFeed.WrongSignatureCount.selector, 3, 2);
        feed.submit(report, signed);
        submit(report);
        same(round(), 1, "round by signatures alone");
    }

    function test_votes_die_with_the_configuration() public {
        attestBy(0);
        attestBy(1);
        vm.prank(OWNER);
        feed.revokeOperator(team[4]);
        attestBy(2);
        same(round(), 0, "round");
        attestBy(0);
        attestBy(1);
        same(round(), 1, "round after all voted again");
    }

    function test_one_of_one() public {
        deploy(1, 1);
        attestBy(0);
        same(round(), 1, "round");
    }

    /// @dev Whoever votes, in whatever order: k different voters are needed and enough.
    function testFuzz_k_of_n(uint8 n, uint8 k, uint256 order) public {
        n = 1 + n % 31;
        k = n / 2 + 1 + k % (n - n / 2);
        deploy(n, k);
        digest = feed.hashReport(report);
        uint256 voted = 0;
        for (uint256 i = 0; i < 100 && round() == 0; ++i) {
            uint256 who = uint256(keccak256(abi.encode(order, i))) % n;
            bool again = voted & (1 << who) != 0;
            if (again) expectError(ReserveFeed.AlreadyAttested.selector, team[who]);
            attestBy(who);
            voted |= 1 << who;
        }
        (uint8 count, uint248 bitmap) = feed.votes(digest);
        same(bitmap, voted, "voters");
        uint256 ones = 0;
        for (; voted != 0; voted &= voted - 1) {
            ++ones;
        }
        same(count, ones, "votes");
        check(round() == 0 ? count < k : count == k, "finalised by exactly k");
    }
}
