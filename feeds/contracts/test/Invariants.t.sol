// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";

/// @dev Drives a feed at random, through good calls and bad ones, and checks after each what must
/// hold between the state before and the state after.
contract Driver is FeedTest {
    struct Seen {
        uint32 round;
        uint32 configId;
        uint8 threshold;
        uint8 count;
        uint64 balanceSat;
        uint32 btcHeight;
        uint40 observedAt;
        uint40 updatedAt;
    }

    uint256 private constant POOL = 40;
    uint256 private constant HISTORY = 8;

    mapping(address account => uint256) private keyOf;
    address[] private pool;
    bytes private oldSignatures;
    ReserveFeed.Report private oldReport;
    uint32 private oldConfigId;
    /// @dev What each round was when it was finalised.
    Seen[] private rounds;
    uint256 private clock;
    uint256 public finalised;

    constructor() {
        (uint256[] memory poolKeys, address[] memory addresses) = makeTeam(0, POOL);
        for (uint256 i = 0; i < POOL; ++i) {
            keyOf[addresses[i]] = poolKeys[i];
            pool.push(addresses[i]);
        }
        address[] memory first = new address[](5);
        for (uint256 i = 0; i < 5; ++i) {
            first[i] = addresses[i];
        }
        feed = newFeed(address(this), "", first, 3, MAX_REPORT_AGE, ROTATION_DELAY);
        clock = OBSERVED_AT;
    }

    /// @dev forge takes the time back after each call of a driver; this one's goes on.
    modifier clocked() {
        vm.warp(clock);
        _;
        clock = time();
    }

    function look() public view returns (Seen memory s) {
        (s.round, s.configId, s.threshold, s.count, s.balanceSat, s.btcHeight, s.observedAt, s.updatedAt) =
            feed.state();
    }

    function report(uint256 seed) private view returns (ReserveFeed.Report memory r) {
        Seen memory s = look();
        r.round = s.round + 1;
        r.balanceSat = uint64(seed % 2_100_000_000_000_001);
        r.btcHeight = s.btcHeight + 1 + uint32(seed % 3);
        r.btcBlockHash = keccak256(abi.encode(seed));
        uint256 oldest = time() - MAX_REPORT_AGE;
        if (s.observedAt > oldest) oldest = s.observedAt;
        r.observedAt = uint64(oldest + seed % (time() + 16 - oldest));
        r.setHash = SET_HASH;
    }

    /// @dev k signatures of the present operators, beginning at a random one, by ascending signer.
    function sign(ReserveFeed.Report memory r, uint256 seed) private view returns (bytes memory all) {
        address[] memory present = feed.operators();
        Seen memory s = look();
        bytes32 digest = feed.hashReport(r);
        address previous = address(0);
        bool[] memory chosen = new bool[](present.length);
        for (uint256 i = 0; i < s.threshold; ++i) {
            chosen[(seed % present.length + i) % present.length] = true;
        }
        for (uint256 i = 0; i < s.threshold; ++i) {
            address lowest = address(type(uint160).max);
            for (uint256 j = 0; j < present.length; ++j) {
                if (chosen[j] && present[j] > previous && present[j] < lowest) lowest = present[j];
            }
            all = bytes.concat(all, signOne(keyOf[lowest], digest));
            previous = lowest;
        }
    }

    /// @dev A round was finalised: one further, higher, not earlier, and all else as it was.
    function stepped(Seen memory a, ReserveFeed.Report memory r) private {
        Seen memory b = look();
        same(b.round, a.round + 1, "round");
        check(b.btcHeight > a.btcHeight, "the height rises");
        check(b.observedAt >= a.observedAt, "the time doesn't fall");
        same(b.balanceSat, r.balanceSat, "balance");
        same(b.btcHeight, r.btcHeight, "height");
        same(b.observedAt, r.observedAt, "observedAt");
        same(b.updatedAt, time(), "updatedAt");
        same(b.configId, a.configId, "configId");
        same(b.threshold, a.threshold, "threshold");
        same(b.count, a.count, "count");
        rounds.push(b);
        ++finalised;
    }

    /// @dev The configuration changed and nothing of the round did.
    function reconfigured(Seen memory a) private view {
        Seen memory b = look();
        same(b.configId, a.configId + 1, "configId");
        same(b.round, a.round, "round");
        same(b.balanceSat, a.balanceSat, "balance");
        same(b.btcHeight, a.btcHeight, "height");
        same(b.observedAt, a.observedAt, "observedAt");
        same(b.updatedAt, a.updatedAt, "updatedAt");
    }

    function idle(uint16 duration) external clocked {
        pass(duration);
    }

    function submit(uint256 seed) external clocked {
        Seen memory a = look();
        ReserveFeed.Report memory r = report(seed);
        (oldReport, oldConfigId) = (r, a.configId);
        oldSignatures = sign(r, seed);
        feed.submit(r, oldSignatures);
        stepped(a, r);
    }

    /// @dev Signs for later, as an operator does whose report is overtaken.
    function signOnly(uint256 seed) external clocked {
        oldConfigId = look().configId;
        oldReport = report(seed);
        oldSignatures = sign(oldReport, seed);
    }

    /// @dev Signatures of an earlier configuration, or for a round that is past, do nothing.
    function submitOld() external clocked {
        Seen memory a = look();
        if (oldConfigId == 0 || (oldConfigId == a.configId && oldReport.round == a.round + 1)) return;
        try feed.submit(oldReport, oldSignatures) {
            revert Failed("old signatures were accepted");
        } catch {}
    }

    function submitBad(uint256 seed, uint8 how) external clocked {
        ReserveFeed.Report memory r = report(seed);
        how %= 6;
        if (how == 0) r.round += uint32(1 + seed % 3);
        if (how == 1) r.btcHeight = look().btcHeight;
        if (how == 2) r.observedAt = uint64(time()) + 16;
        if (how == 3) r.observedAt = uint64(time()) - MAX_REPORT_AGE - 1;
        if (how == 4) r.balanceSat = 2_100_000_000_000_001;
        bytes memory signed = sign(r, seed);
        if (how == 5) r.setHash = bytes32(seed);
        try feed.submit(r, signed) {
            revert Failed("a bad report was accepted");
        } catch {}
    }

    function attest(uint256 seed) external clocked {
        Seen memory a = look();
        ReserveFeed.Report memory r = report(seed);
        address[] memory present = feed.operators();
        for (uint256 i = 0; i < a.threshold; ++i) {
            same(look().round, a.round, "not finalised below the threshold");
            vm.prank(present[(seed % present.length + i) % present.length]);
            feed.attest(r);
        }
        stepped(a, r);
    }

    function attestByStranger(uint256 seed) external clocked {
        ReserveFeed.Report memory r = report(seed);
        try feed.attest(r) {
            revert Failed("a stranger attested");
        } catch {}
    }

    function rotate(uint256 seed, uint8 size, uint8 k) external clocked {
        Seen memory a = look();
        uint256 n = 1 + size % 31;
        uint8 threshold = uint8(n / 2 + 1 + k % (n - n / 2));
        address[] memory set = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            set[i] = pool[(seed % POOL + i) % POOL];
        }
        feed.proposeOperators(set, threshold);
        pass(ROTATION_DELAY);
        feed.acceptOperators(set, threshold);
        reconfigured(a);
        same(look().threshold, threshold, "threshold");
        same(look().count, n, "count");
    }

    function revoke(uint256 seed) external clocked {
        Seen memory a = look();
        address[] memory present = feed.operators();
        address gone = present[seed % present.length];
        if (a.count == a.threshold) {
            expectError(ReserveFeed.BadOperatorSet.selector);
            feed.revokeOperator(gone);
            return;
        }
        feed.revokeOperator(gone);
        reconfigured(a);
        same(look().threshold, a.threshold, "threshold");
        same(look().count, a.count - 1, "count");
    }

    /// @dev The last few rounds still read as they were finalised.
    function checkHistory() external view {
        uint256 n = rounds.length;
        same(look().round, n, "rounds");
        for (uint256 i = n > HISTORY ? n - HISTORY : 0; i < n; ++i) {
            (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt,) =
                feed.getRoundData(uint80(i + 1));
            same(id, i + 1, "round");
            same(uint256(answer), rounds[i].balanceSat, "answer");
            same(startedAt, rounds[i].observedAt, "startedAt");
            same(updatedAt, rounds[i].updatedAt, "updatedAt");
            same(feed.roundHeight(id), rounds[i].btcHeight, "height");
        }
    }

    function theFeed() external view returns (ReserveFeed) {
        return feed;
    }
}

contract InvariantsTest is FeedTest {
    Driver private driver;

    function setUp() public {
        driver = new Driver();
        feed = driver.theFeed();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(driver);
    }

    function invariant_quorum() public view {
        Driver.Seen memory s = driver.look();
        check(s.count >= 1 && s.count <= 31, "1 to 31 operators");
        check(s.threshold <= s.count && 2 * uint256(s.threshold) > s.count, "n/2 < k <= n");
    }

    function invariant_operators_are_distinct() public view {
        address[] memory present = feed.operators();
        same(present.length, driver.look().count, "as many as counted");
        for (uint256 i = 0; i < present.length; ++i) {
            check(present[i] != address(0), "nobody is zero");
            for (uint256 j = 0; j < i; ++j) {
                check(present[i] != present[j], "nobody is there twice");
            }
        }
    }

    function invariant_history() public view {
        driver.checkHistory();
    }

    function invariant_latest_round_is_the_state() public {
        Driver.Seen memory s = driver.look();
        if (s.round == 0) {
            expectError(ReserveFeed.NoDataPresent.selector);
            feed.latestRoundData();
            return;
        }
        (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
            feed.latestRoundData();
        same(id, s.round, "round");
        same(answeredIn, s.round, "answeredInRound");
        same(uint256(answer), s.balanceSat, "answer");
        same(startedAt, s.observedAt, "startedAt");
        same(updatedAt, s.updatedAt, "updatedAt");
    }

    /// @dev What the driver believes to do, it does.
    function test_driver() public {
        driver.signOnly(1);
        driver.submit(2);
        driver.submitOld();
        driver.idle(600);
        driver.attest(3);
        driver.rotate(4, 6, 0);
        driver.submit(type(uint256).max);
        same(driver.finalised(), 3, "rounds");
        same(driver.look().configId, 2, "configId");
        driver.revoke(5);
        same(driver.look().count, 6, "count");
        driver.checkHistory();
    }
}
