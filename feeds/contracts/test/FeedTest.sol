// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {Vm} from "./Vm.sol";

/// @dev What every test of the feed needs: operators with known keys, reports, signatures.
abstract contract FeedTest {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev The contract as it is deployed, made by the default profile.
    string internal constant ARTIFACT = "../../build/contracts/out/ReserveFeed.sol/ReserveFeed.json";

    bytes32 internal constant FEED_ID = keccak256("wbtc");
    /// @dev Bitcoin block 840,000, whose hash has the leading zeros of any.
    bytes32 internal constant BLOCK_HASH = 0x0000000000000000000320283a032748cef8227873ff4872689bf23f1cda83a5;
    uint64 internal constant OBSERVED_AT = 1713570208;
    uint32 internal constant HEIGHT = 840_000;
    uint64 internal constant BALANCE = 155_123_45678901;
    bytes32 internal constant SET_HASH = keccak256("the scripts of wbtc");
    uint64 internal constant MAX_REPORT_AGE = 24 hours;
    uint64 internal constant ROTATION_DELAY = 2 days;
    address internal constant OWNER = address(0x0E0E);

    ReserveFeed internal feed;
    /// @dev The operators' keys, by ascending address, and their addresses.
    uint256[] internal keys;
    address[] internal team;

    error Failed(string what);

    function check(bool holds, string memory what) internal pure {
        if (!holds) revert Failed(what);
    }

    function same(uint256 got, uint256 expected, string memory what) internal pure {
        if (got != expected) {
            revert Failed(string.concat(what, ": ", vm.toString(got), " instead of ", vm.toString(expected)));
        }
    }

    function same(bytes32 got, bytes32 expected, string memory what) internal pure {
        if (got != expected) {
            revert Failed(string.concat(what, ": ", vm.toString(got), " instead of ", vm.toString(expected)));
        }
    }

    function same(address got, address expected, string memory what) internal pure {
        same(bytes32(uint256(uint160(got))), bytes32(uint256(uint160(expected))), what);
    }

    function same(string memory got, string memory expected, string memory what) internal pure {
        check(keccak256(bytes(got)) == keccak256(bytes(expected)), what);
    }

    /// @dev Operators numbered from `first` on, by ascending address.
    function makeTeam(uint256 first, uint256 n)
        internal
        pure
        returns (uint256[] memory teamKeys, address[] memory addresses)
    {
        teamKeys = new uint256[](n);
        addresses = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 key = uint256(keccak256(abi.encode("operator", first + i)));
            address account = vm.addr(key);
            uint256 place = i;
            for (; place > 0 && addresses[place - 1] > account; --place) {
                addresses[place] = addresses[place - 1];
                teamKeys[place] = teamKeys[place - 1];
            }
            addresses[place] = account;
            teamKeys[place] = key;
        }
    }

    function newFeed(
        address owner,
        string memory description,
        address[] memory operators,
        uint8 k,
        uint64 maxReportAge,
        uint64 rotationDelay
    ) internal returns (ReserveFeed made) {
        bytes memory code = bytes.concat(
            vm.getCode(ARTIFACT),
            abi.encode(owner, FEED_ID, description, operators, k, maxReportAge, rotationDelay)
        );
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
            if iszero(made) {
                let reason := mload(0x40)
                returndatacopy(reason, 0, returndatasize())
                revert(reason, returndatasize())
            }
        }
    }

    /// @dev A feed of n operators, k of whom must agree; half an hour after the first report's time.
    function deploy(uint256 n, uint8 k) internal {
        (keys, team) = makeTeam(0, n);
        feed = newFeed(OWNER, "Reserve of WBTC", team, k, MAX_REPORT_AGE, ROTATION_DELAY);
        vm.warp(OBSERVED_AT + 30 minutes);
    }

    /// @dev The compiler takes block.timestamp as the same throughout a function; it isn't here.
    function time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function pass(uint256 duration) internal {
        vm.warp(time() + duration);
    }

    function firstReport() internal pure returns (ReserveFeed.Report memory) {
        return ReserveFeed.Report(1, BALANCE, HEIGHT, BLOCK_HASH, OBSERVED_AT, SET_HASH);
    }

    /// @dev The report that follows: ten minutes and a block later, three bitcoin less.
    function nextReport(ReserveFeed.Report memory last) internal pure returns (ReserveFeed.Report memory) {
        return ReserveFeed.Report(
            last.round + 1,
            last.balanceSat - 3e8,
            last.btcHeight + 1,
            bytes32(uint256(keccak256(abi.encode(last.btcBlockHash))) >> 80),
            last.observedAt + 10 minutes,
            last.setHash
        );
    }

    function signOne(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(key, digest);
        return abi.encodePacked(r, vs);
    }

    /// @dev The first k operators' signatures, by ascending signer.
    function signatures(ReserveFeed.Report memory report, uint256 k)
        internal
        view
        returns (bytes memory all)
    {
        bytes32 digest = feed.hashReport(report);
        for (uint256 i = 0; i < k; ++i) {
            all = bytes.concat(all, signOne(keys[i], digest));
        }
    }

    function expectError(bytes4 selector) internal {
        vm.expectRevert(abi.encodeWithSelector(selector));
    }

    function expectError(bytes4 selector, uint256 value) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, value));
    }

    function expectError(bytes4 selector, uint256 expected, uint256 got) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, expected, got));
    }

    function expectError(bytes4 selector, address account) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, account));
    }

    function configId() internal view returns (uint32 id) {
        (, id,,,,,,) = feed.state();
    }

    function submit(ReserveFeed.Report memory report) internal {
        (,, uint8 k,,,,,) = feed.state();
        feed.submit(report, signatures(report, k));
    }
}
