// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";
import {Vm} from "./Vm.sol";

contract SubmitTest is FeedTest {
    /// @dev The order of secp256k1.
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    /// @dev The x of secp256k1's generator, whose y is even: r of a signature with nonce 1.
    uint256 private constant GENERATOR_X = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798;
    uint64 private constant SUPPLY = 21_000_000 * 1e8;

    ReserveFeed.Report private report;

    function setUp() public {
        deploy(5, 3);
        report = firstReport();
    }

    /// @dev Submits `report` properly signed, and expects the error.
    function refused(bytes4 selector, uint256 expected, uint256 got) private {
        bytes memory signed = signatures(report, 3);
        expectError(selector, expected, got);
        feed.submit(report, signed);
    }

    function goOn() private {
        submit(report);
        pass(10 minutes);
        report = nextReport(report);
    }

    function test_anyone_submits_and_the_round_is_there() public {
        bytes memory signed = signatures(report, 3);
        vm.prank(address(0xABCD));
        feed.submit(report, signed);
        (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
            feed.latestRoundData();
        same(id, 1, "round");
        same(uint256(answer), BALANCE, "answer");
        same(startedAt, OBSERVED_AT, "startedAt");
        same(updatedAt, time(), "updatedAt");
        same(answeredIn, 1, "answeredInRound");
    }

    function test_events_of_a_round() public {
        goOn();
        bytes memory signed = signatures(report, 3);
        vm.expectEmit(address(feed));
        emit ReserveFeed.ReserveReported(
            2,
            HEIGHT + 1,
            report.btcBlockHash,
            report.balanceSat,
            report.observedAt,
            SET_HASH,
            1,
            address(0xABCD)
        );
        vm.expectEmit(address(feed));
        emit ReserveFeed.AnswerUpdated(int256(uint256(report.balanceSat)), 2, time());
        vm.prank(address(0xABCD));
        feed.submit(report, signed);
    }

    function test_zero_is_a_reserve() public {
        goOn();
        report.balanceSat = 0;
        submit(report);
        (, int256 answer,,,) = feed.latestRoundData();
        check(answer == 0, "answer");
        pass(10 minutes);
        report.round += 1;
        report.btcHeight += 1;
        report.balanceSat = 1;
        submit(report);
        (, answer,,,) = feed.latestRoundData();
        same(uint256(answer), 1, "the answer after zero");
    }

    function test_BadRound() public {
        report.round = 2;
        refused(ReserveFeed.BadRound.selector, 1, 2);
        report.round = 0;
        refused(ReserveFeed.BadRound.selector, 1, 0);
        report.round = 1;
        goOn();
        report.round = 1;
        refused(ReserveFeed.BadRound.selector, 2, 1);
    }

    function test_a_report_is_accepted_once() public {
        submit(report);
        refused(ReserveFeed.BadRound.selector, 2, 1);
    }

    function test_HeightNotIncreasing() public {
        goOn();
        report.btcHeight = HEIGHT;
        refused(ReserveFeed.HeightNotIncreasing.selector, HEIGHT, HEIGHT);
        report.btcHeight = HEIGHT - 1;
        refused(ReserveFeed.HeightNotIncreasing.selector, HEIGHT, HEIGHT - 1);
    }

    function test_height_zero_is_never_above() public {
        report.btcHeight = 0;
        refused(ReserveFeed.HeightNotIncreasing.selector, 0, 0);
    }

    function test_TimeDecreasing() public {
        goOn();
        report.observedAt = OBSERVED_AT - 1;
        refused(ReserveFeed.TimeDecreasing.selector, OBSERVED_AT, OBSERVED_AT - 1);
    }

    function test_time_may_stand_still() public {
        goOn();
        report.observedAt = OBSERVED_AT;
        submit(report);
    }

    function test_TimeInFuture() public {
        report.observedAt = uint64(time()) + 16;
        refused(ReserveFeed.TimeInFuture.selector, time() + 15, time() + 16);
        report.observedAt = type(uint64).max;
        refused(ReserveFeed.TimeInFuture.selector, time() + 15, type(uint64).max);
        report.observedAt = uint64(time()) + 15;
        submit(report);
    }

    function test_ReportTooOld() public {
        report.observedAt = uint64(time()) - MAX_REPORT_AGE - 1;
        refused(ReserveFeed.ReportTooOld.selector, time() - MAX_REPORT_AGE, report.observedAt);
        report.observedAt += 1;
        submit(report);
    }

    function test_an_age_without_bound_refuses_nothing() public {
        feed = newFeed(OWNER, "", team, 3, type(uint64).max, 0);
        report.observedAt = 0;
        submit(report);
        (,, uint256 startedAt,,) = feed.latestRoundData();
        same(startedAt, 0, "startedAt");
    }

    function test_BalanceAboveSupply() public {
        report.balanceSat = SUPPLY + 1;
        bytes memory signed = signatures(report, 3);
        expectError(ReserveFeed.BalanceAboveSupply.selector, SUPPLY + 1);
        feed.submit(report, signed);
        report.balanceSat = SUPPLY;
        submit(report);
    }

    function test_WrongSignatureCount() public {
        bytes memory four = signatures(report, 4);
        expectError(ReserveFeed.WrongSignatureCount.selector, 3, 4);
        feed.submit(report, four);
        bytes memory two = signatures(report, 2);
        expectError(ReserveFeed.WrongSignatureCount.selector, 3, 2);
        feed.submit(report, two);
        expectError(ReserveFeed.WrongSignatureCount.selector, 3, 0);
        feed.submit(report, "");
        bytes memory three = signatures(report, 3);
        expectError(ReserveFeed.WrongSignatureCount.selector, 3, 4);
        feed.submit(report, bytes.concat(three, hex"00"));
        assembly ("memory-safe") {
            mstore(three, 191)
        }
        expectError(ReserveFeed.WrongSignatureCount.selector, 3, 2);
        feed.submit(report, three);
    }

    function test_InvalidSignature_recovers_nobody() public {
        bytes memory signed = signatures(report, 2);
        expectError(ReserveFeed.InvalidSignature.selector, 2);
        feed.submit(report, bytes.concat(signed, bytes32(0), bytes32(uint256(1))));
        expectError(ReserveFeed.InvalidSignature.selector, 2);
        feed.submit(report, bytes.concat(signed, bytes32(ORDER), bytes32(uint256(1))));
    }

    /// @dev The operator whose signature of `digest` has this s and the generator's x as r:
    /// d = (s - z) / r. Nobody meets one of 255 bits above half the order by chance.
    function keyFor(bytes32 digest, uint256 s) private view returns (uint256 key) {
        (bool ok, bytes memory inverse) =
            address(5).staticcall(abi.encode(32, 32, 32, GENERATOR_X, ORDER - 2, ORDER));
        check(ok, "modular exponentiation");
        uint256 difference = addmod(s, ORDER - uint256(digest) % ORDER, ORDER);
        key = mulmod(difference, abi.decode(inverse, (uint256)), ORDER);
        check(ecrecover(digest, 27, bytes32(GENERATOR_X), bytes32(s)) == vm.addr(key), "a true signature");
    }

    /// @dev A feed with one operator, whose next report's signature is r and s.
    function deployFor(uint256 s) private {
        deploy(1, 1);
        bytes32 slot = vm.load(address(feed), 0);
        vm.store(address(feed), 0, bytes32(uint256(slot) + (1 << 32)));
        address[] memory set = new address[](1);
        set[0] = vm.addr(keyFor(feed.hashReport(report), s));
        vm.store(address(feed), 0, slot);
        vm.prank(OWNER);
        feed.proposeOperators(set, 1);
        pass(ROTATION_DELAY);
        vm.prank(OWNER);
        feed.acceptOperators(set, 1);
    }

    /// @dev The other s of a signature is as good to ecrecover, so one of them must be refused
    /// by itself; half the order is the last good one.
    function test_InvalidSignature_high_s() public {
        report.observedAt += uint64(ROTATION_DELAY);
        deployFor(ORDER / 2 + 1);
        expectError(ReserveFeed.InvalidSignature.selector, 0);
        feed.submit(report, abi.encodePacked(GENERATOR_X, ORDER / 2 + 1));
        deployFor(ORDER / 2);
        feed.submit(report, abi.encodePacked(GENERATOR_X, ORDER / 2));
    }

    function test_NotOperator() public {
        (uint256[] memory strangers, address[] memory addresses) = makeTeam(100, 40);
        bytes32 digest = feed.hashReport(report);
        uint256 i = 0;
        while (addresses[i] < team[1]) ++i;
        bytes memory signed = bytes.concat(signatures(report, 2), signOne(strangers[i], digest));
        expectError(ReserveFeed.NotOperator.selector, addresses[i]);
        feed.submit(report, signed);
    }

    /// @dev Signatures of something else recover to somebody, who is no operator.
    function test_signatures_of_another_report() public {
        bytes memory signed = signatures(report, 3);
        report.balanceSat += 1;
        vm.expectRevert();
        feed.submit(report, signed);
    }

    function test_SignersNotAscending() public {
        bytes32 digest = feed.hashReport(report);
        bytes memory a = signOne(keys[0], digest);
        bytes memory b = signOne(keys[1], digest);
        bytes memory c = signOne(keys[2], digest);
        expectError(ReserveFeed.SignersNotAscending.selector, 1);
        feed.submit(report, bytes.concat(b, a, c));
        expectError(ReserveFeed.SignersNotAscending.selector, 2);
        feed.submit(report, bytes.concat(a, b, b));
        expectError(ReserveFeed.SignersNotAscending.selector, 2);
        feed.submit(report, bytes.concat(a, c, b));
        feed.submit(report, bytes.concat(a, b, c));
    }

    /// @dev Any k of the n will do.
    function testFuzz_any_quorum_finalises(uint8 mask) public {
        uint256 chosen = 0;
        bytes32 digest = feed.hashReport(report);
        bytes memory signed;
        for (uint256 i = 0; i < 5; ++i) {
            if (mask & (1 << i) == 0) continue;
            signed = bytes.concat(signed, signOne(keys[i], digest));
            ++chosen;
        }
        if (chosen != 3) expectError(ReserveFeed.WrongSignatureCount.selector, 3, chosen);
        feed.submit(report, signed);
    }

    /// @dev No bit of the signatures can change and leave them valid.
    function testFuzz_a_changed_bit_is_refused(uint16 bit) public {
        bytes memory signed = signatures(report, 3);
        uint256 place = uint256(bit) % (signed.length * 8);
        signed[place / 8] ^= bytes1(uint8(1 << (place % 8)));
        vm.expectRevert();
        feed.submit(report, signed);
    }

    /// @dev A report is accepted exactly if every rule holds, and then reads back as it was.
    function testFuzz_rules(uint32 round, uint64 balance, uint32 height, uint64 observedAt, bytes32 hash)
        public
    {
        goOn();
        uint64 present = uint64(time());
        // Around the rules' bounds, where they matter, rather than anywhere in 64 bits.
        report.round = 1 + round % 3;
        report.balanceSat = SUPPLY - 100 + balance % 120;
        report.btcHeight = HEIGHT - 2 + height % 6;
        report.observedAt =
            observedAt % 2 == 0 ? OBSERVED_AT - 20 + observedAt % 60 : present - 20 + observedAt % 60;
        report.btcBlockHash = hash;
        bool good = report.round == 2 && report.balanceSat <= SUPPLY && report.btcHeight > HEIGHT
            && report.observedAt >= OBSERVED_AT && report.observedAt <= present + 15;
        bytes memory signed = signatures(report, 3);
        if (!good) vm.expectRevert();
        feed.submit(report, signed);
        if (good) {
            (uint80 id, int256 answer, uint256 startedAt,,) = feed.latestRoundData();
            same(id, 2, "round");
            same(uint256(answer), report.balanceSat, "answer");
            same(startedAt, report.observedAt, "startedAt");
            same(feed.roundHeight(2), report.btcHeight, "height");
        }
    }
}
