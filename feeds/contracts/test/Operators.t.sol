// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";

contract OperatorsTest is FeedTest {
    address[] private next;
    uint256[] private nextKeys;

    function setUp() public {
        deploy(5, 3);
        (nextKeys, next) = makeTeam(3, 4);
    }

    function list(address a) private pure returns (address[] memory one) {
        one = new address[](1);
        one[0] = a;
    }

    function list(address a, address b) private pure returns (address[] memory two) {
        two = new address[](2);
        (two[0], two[1]) = (a, b);
    }

    function numbers() private view returns (uint32 id, uint8 k, uint8 n) {
        (, id, k, n,,,,) = feed.state();
    }

    function sameNumbers(uint256 id, uint256 k, uint256 n) private view {
        (uint32 gotId, uint8 gotK, uint8 gotN) = numbers();
        same(gotId, id, "configId");
        same(gotK, k, "threshold");
        same(gotN, n, "count");
        same(feed.operators().length, n, "operators");
    }

    function rotate(address[] memory to, uint8 k) private {
        vm.prank(OWNER);
        feed.proposeOperators(to, k);
        pass(ROTATION_DELAY);
        vm.prank(OWNER);
        feed.acceptOperators(to, k);
    }

    // The constructor

    function test_constructor() public {
        vm.expectEmit();
        emit ReserveFeed.OwnershipTransferred(address(0), OWNER);
        vm.expectEmit();
        emit ReserveFeed.OperatorsChanged(1, team, 4);
        feed = newFeed(OWNER, "Reserve", team, 4, 7, 9);
        sameNumbers(1, 4, 5);
        same(feed.owner(), OWNER, "owner");
        same(feed.pendingOwner(), address(0), "pendingOwner");
        same(feed.feedId(), FEED_ID, "feedId");
        same(feed.maxReportAge(), 7, "maxReportAge");
        same(feed.rotationDelay(), 9, "rotationDelay");
        for (uint256 i = 0; i < 5; ++i) {
            same(feed.operators()[i], team[i], "operator");
        }
    }

    function test_no_feed_without_owner() public {
        expectError(ReserveFeed.NotOwner.selector, address(0));
        newFeed(address(0), "", team, 3, 1, 1);
    }

    function refusedSet(address[] memory set, uint8 k) private {
        expectError(ReserveFeed.BadOperatorSet.selector);
        newFeed(OWNER, "", set, k, 1, 1);
        expectError(ReserveFeed.BadOperatorSet.selector);
        vm.prank(OWNER);
        feed.proposeOperators(set, k);
    }

    function test_BadOperatorSet() public {
        refusedSet(new address[](0), 0);
        refusedSet(new address[](0), 1);
        refusedSet(list(address(1)), 0);
        refusedSet(list(address(1)), 2);
        refusedSet(list(address(0)), 1);
        refusedSet(list(address(1), address(2)), 1);
        refusedSet(list(address(1), address(1)), 2);
        refusedSet(list(address(1), address(0)), 2);
        refusedSet(team, 2);
        refusedSet(team, 6);
        (, address[] memory many) = makeTeam(0, 32);
        refusedSet(many, 17);
        refusedSet(many, 255);
    }

    function testFuzz_sets_by_size_and_threshold(uint8 n, uint8 k) public {
        n %= 34;
        (, address[] memory set) = makeTeam(0, n);
        bool good = n <= 31 && k <= n && 2 * uint256(k) > n;
        if (!good) expectError(ReserveFeed.BadOperatorSet.selector);
        vm.prank(OWNER);
        feed.proposeOperators(set, k);
    }

    // Rotation

    function test_rotation() public {
        vm.expectEmit(address(feed));
        emit ReserveFeed.OperatorsProposed(next, 3, time() + ROTATION_DELAY);
        vm.prank(OWNER);
        feed.proposeOperators(next, 3);
        sameNumbers(1, 3, 5);
        pass(ROTATION_DELAY);
        vm.expectEmit(address(feed));
        emit ReserveFeed.OperatorsChanged(2, next, 3);
        vm.prank(OWNER);
        feed.acceptOperators(next, 3);
        sameNumbers(2, 3, 4);
        for (uint256 i = 0; i < 4; ++i) {
            same(feed.operators()[i], next[i], "operator");
        }
    }

    /// @dev Those who left can't report; those who came, and those who stayed, can.
    function test_who_may_report_after_a_rotation() public {
        rotate(next, 3);
        ReserveFeed.Report memory report = firstReport();
        report.observedAt = uint64(time());
        (, address[] memory left) = makeTeam(0, 3);
        for (uint256 i = 0; i < 3; ++i) {
            expectError(ReserveFeed.NotOperator.selector, left[i]);
            vm.prank(left[i]);
            feed.attest(report);
        }
        keys = nextKeys;
        team = next;
        submit(report);
        same(feed.roundHeight(1), HEIGHT, "height");
    }

    function test_a_round_survives_rotation() public {
        submit(firstReport());
        rotate(next, 4);
        (uint80 id, int256 answer,,,) = feed.latestRoundData();
        same(id, 1, "round");
        same(uint256(answer), BALANCE, "answer");
        sameNumbers(2, 4, 4);
    }

    function test_old_signatures_die_with_the_configuration() public {
        ReserveFeed.Report memory report = firstReport();
        report.observedAt = uint64(time() + ROTATION_DELAY);
        bytes memory signed = signatures(report, 3);
        rotate(team, 3);
        vm.expectRevert();
        feed.submit(report, signed);
        submit(report);
    }

    function test_TooEarly() public {
        vm.prank(OWNER);
        feed.proposeOperators(next, 3);
        uint256 eta = time() + ROTATION_DELAY;
        pass(ROTATION_DELAY - 1);
        expectError(ReserveFeed.TooEarly.selector, eta);
        vm.prank(OWNER);
        feed.acceptOperators(next, 3);
        pass(1);
        vm.prank(OWNER);
        feed.acceptOperators(next, 3);
    }

    function refusedAccept(address[] memory set, uint8 k) private {
        expectError(ReserveFeed.NoSuchProposal.selector);
        vm.prank(OWNER);
        feed.acceptOperators(set, k);
    }

    function test_NoSuchProposal() public {
        refusedAccept(next, 3);
        expectError(ReserveFeed.NoSuchProposal.selector);
        vm.prank(OWNER);
        feed.cancelProposal();
        vm.prank(OWNER);
        feed.proposeOperators(next, 3);
        pass(ROTATION_DELAY);
        refusedAccept(next, 4);
        refusedAccept(team, 3);
        (next[0], next[1]) = (next[1], next[0]);
        refusedAccept(next, 3);
        (next[0], next[1]) = (next[1], next[0]);
        vm.prank(OWNER);
        feed.acceptOperators(next, 3);
        refusedAccept(next, 3);
    }

    function test_cancelled() public {
        vm.prank(OWNER);
        feed.proposeOperators(next, 3);
        vm.expectEmit(address(feed));
        emit ReserveFeed.OperatorsProposalCancelled();
        vm.prank(OWNER);
        feed.cancelProposal();
        pass(ROTATION_DELAY);
        refusedAccept(next, 3);
    }

    /// @dev A second proposal takes the first one's place and waits from its own time.
    function test_replaced() public {
        vm.prank(OWNER);
        feed.proposeOperators(next, 3);
        pass(ROTATION_DELAY);
        uint256 eta = time() + ROTATION_DELAY;
        vm.expectEmit(address(feed));
        emit ReserveFeed.OperatorsProposalCancelled();
        vm.expectEmit(address(feed));
        emit ReserveFeed.OperatorsProposed(next, 4, eta);
        vm.prank(OWNER);
        feed.proposeOperators(next, 4);
        refusedAccept(next, 3);
        expectError(ReserveFeed.TooEarly.selector, eta);
        vm.prank(OWNER);
        feed.acceptOperators(next, 4);
    }

    // Revocation

    function test_revoke() public {
        ReserveFeed.Report memory report = firstReport();
        bytes memory old = signatures(report, 3);
        vm.expectEmit(address(feed));
        emit ReserveFeed.OperatorRevoked(team[1], 2);
        vm.prank(OWNER);
        feed.revokeOperator(team[1]);
        sameNumbers(2, 3, 4);
        vm.expectRevert();
        feed.submit(report, old);
        bytes memory signed = signatures(report, 3);
        expectError(ReserveFeed.NotOperator.selector, team[1]);
        feed.submit(report, signed);
        expectError(ReserveFeed.NotOperator.selector, team[1]);
        vm.prank(team[1]);
        feed.attest(report);
        bytes32 digest = feed.hashReport(report);
        feed.submit(
            report, bytes.concat(signOne(keys[0], digest), signOne(keys[2], digest), signOne(keys[4], digest))
        );
    }

    function test_revoke_never_goes_below_the_threshold() public {
        vm.prank(OWNER);
        feed.revokeOperator(team[4]);
        vm.prank(OWNER);
        feed.revokeOperator(team[0]);
        sameNumbers(3, 3, 3);
        expectError(ReserveFeed.BadOperatorSet.selector);
        vm.prank(OWNER);
        feed.revokeOperator(team[1]);
    }

    function test_revoke_of_a_stranger() public {
        expectError(ReserveFeed.NotOperator.selector, address(7));
        vm.prank(OWNER);
        feed.revokeOperator(address(7));
    }

    /// @dev Each operator left has one bit of the votes to himself.
    function testFuzz_bits_after_revocation(uint8 n, uint8 who) public {
        n = 3 + n % 29;
        deploy(n, n / 2 + 1);
        address gone = team[who % n];
        vm.prank(OWNER);
        feed.revokeOperator(gone);
        address[] memory left = feed.operators();
        same(left.length, n - 1, "operators left");
        ReserveFeed.Report memory report = firstReport();
        bytes32 digest = feed.hashReport(report);
        uint248 expected = 0;
        for (uint256 i = 0; i < n / 2; ++i) {
            check(left[i] != gone, "the revoked one is gone");
            vm.prank(left[i]);
            feed.attest(report);
            expected |= uint248(1) << uint8(i);
            (, uint248 bitmap) = feed.votes(digest);
            same(bitmap, expected, "voters");
        }
    }

    // Ownership

    function test_NotOwner() public {
        bytes4 selector = ReserveFeed.NotOwner.selector;
        expectError(selector, address(this));
        feed.proposeOperators(next, 3);
        expectError(selector, address(this));
        feed.acceptOperators(next, 3);
        expectError(selector, address(this));
        feed.cancelProposal();
        expectError(selector, address(this));
        feed.revokeOperator(team[0]);
        expectError(selector, address(this));
        feed.transferOwnership(address(this));
        expectError(selector, address(this));
        feed.acceptOwnership();
    }

    function test_ownership_is_offered_and_taken() public {
        vm.expectEmit(address(feed));
        emit ReserveFeed.OwnershipTransferStarted(OWNER, address(this));
        vm.prank(OWNER);
        feed.transferOwnership(address(this));
        same(feed.owner(), OWNER, "owner while offered");
        same(feed.pendingOwner(), address(this), "pendingOwner");
        vm.expectEmit(address(feed));
        emit ReserveFeed.OwnershipTransferred(OWNER, address(this));
        feed.acceptOwnership();
        same(feed.owner(), address(this), "owner");
        same(feed.pendingOwner(), address(0), "pendingOwner once taken");
        expectError(ReserveFeed.NotOwner.selector, OWNER);
        vm.prank(OWNER);
        feed.revokeOperator(team[0]);
        feed.revokeOperator(team[0]);
    }

    function test_an_offer_is_withdrawn() public {
        vm.prank(OWNER);
        feed.transferOwnership(address(this));
        vm.prank(OWNER);
        feed.transferOwnership(address(0));
        expectError(ReserveFeed.NotOwner.selector, address(this));
        feed.acceptOwnership();
    }
}
