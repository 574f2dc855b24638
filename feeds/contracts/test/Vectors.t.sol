// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReserveFeed} from "../ReserveFeed.sol";
import {FeedTest} from "./FeedTest.sol";
import {Vm} from "./Vm.sol";

/// @dev The contract against vectors/*.json, which cast made without it and the C code shares.
contract VectorsTest is FeedTest {
    /// @dev The first contract of this account has the vectors' address.
    address private constant DEPLOYER = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;

    string private json;
    string private root;

    function number(string memory key) private view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(root, key));
    }

    function word(string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(root, key));
    }

    function data(string memory key) private view returns (bytes memory) {
        return vm.parseJsonBytes(json, string.concat(root, key));
    }

    function text(string memory key) private view returns (string memory) {
        return vm.parseJsonString(json, string.concat(root, key));
    }

    function item(string memory list, uint256 i) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(i), "]");
    }

    function open(string memory file, string memory list) private returns (uint256 n) {
        json = vm.readFile(string.concat("vectors/", file));
        while (vm.keyExistsJson(json, item(list, n))) ++n;
        check(n > 0, "an empty list of vectors");
    }

    function readReport() private view returns (ReserveFeed.Report memory) {
        return ReserveFeed.Report(
            uint32(number(".report.round")),
            uint64(number(".report.balanceSat")),
            uint32(number(".report.btcHeight")),
            word(".report.btcBlockHash"),
            uint64(number(".report.observedAt")),
            word(".report.setHash")
        );
    }

    /// @dev The vector's feed, at its address, on its chain, under its configId.
    function deployVector(uint256 k) private {
        uint256 n = number(".count");
        (, address[] memory set) = makeTeam(0, n);
        for (uint256 i = 0; i < k; ++i) {
            set[i] = vm.parseJsonAddress(json, string.concat(root, ".signed[", vm.toString(i), "].signer"));
        }
        vm.chainId(number(".chainId"));
        vm.setNonceUnsafe(DEPLOYER, 0);
        vm.prank(DEPLOYER);
        feed = newFeed(OWNER, "", set, uint8(k), MAX_REPORT_AGE, 0);
        for (uint256 id = number(".configId"); id > 1; --id) {
            vm.prank(OWNER);
            feed.proposeOperators(set, uint8(k));
            vm.prank(OWNER);
            feed.acceptOperators(set, uint8(k));
        }
    }

    function checkReport(uint256 i) private {
        root = item("reports", i);
        string memory name = text(".name");
        ReserveFeed.Report memory report = readReport();
        deployVector(number(".threshold"));
        same(address(feed), vm.parseJsonAddress(json, string.concat(root, ".verifyingContract")), name);
        same(feed.feedId(), word(".feedId"), name);
        same(configId(), number(".configId"), name);
        same(feed.DOMAIN_SEPARATOR(), word(".domainSeparator"), name);
        same(feed.hashReport(report), word(".digest"), name);
        same(vm.eip712HashTypedData(text(".typedData")), word(".digest"), name);
        bytes memory signed = data(".signatures");
        same(keccak256(abi.encodeCall(feed.submit, (report, signed))), keccak256(data(".submit")), name);
        same(keccak256(abi.encodeCall(feed.attest, (report))), keccak256(data(".attest")), name);
        same(keccak256(abi.encodeCall(feed.hashReport, (report))), keccak256(data(".hashReport")), name);
        if (report.round != 1) return;
        sendVector(report);
    }

    /// @dev The calldata as it stands finalises the round, and logs what the vector says.
    function sendVector(ReserveFeed.Report memory report) private {
        vm.warp(report.observedAt);
        vm.recordLogs();
        address submitter = vm.parseJsonAddress(json, string.concat(root, ".reserveReported.submitter"));
        bytes memory call = data(".submit");
        vm.prank(submitter);
        (bool ok,) = address(feed).call(call);
        check(ok, "the vector's calldata is accepted");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        same(logs.length, 2, "logs");
        same(logs[0].topics.length, 4, "topics");
        for (uint256 i = 0; i < 4; ++i) {
            same(
                logs[0].topics[i],
                word(string.concat(".reserveReported.topics[", vm.toString(i), "]")),
                "a topic of ReserveReported"
            );
        }
        same(keccak256(logs[0].data), keccak256(data(".reserveReported.data")), "data of ReserveReported");
    }

    // Each has the same contract address, so each has a test of its own.

    function test_report_of_one_operator() public {
        same(open("reports.json", "reports"), 3, "reports");
        checkReport(0);
    }

    function test_report_of_zero_by_three() public {
        open("reports.json", "reports");
        checkReport(1);
    }

    function test_report_with_every_field_at_its_largest() public {
        open("reports.json", "reports");
        checkReport(2);
    }

    function test_state() public {
        deploy(1, 1);
        uint256 n = open("state.json", "states");
        for (uint256 i = 0; i < n; ++i) {
            root = item("states", i);
            vm.store(address(feed), 0, word(".slot0"));
            (bool ok, bytes memory returned) = address(feed).staticcall(abi.encodeCall(feed.state, ()));
            check(ok, "state()");
            same(keccak256(returned), keccak256(data(".returned")), "state()");
            (uint32 round,,,, uint64 balance, uint32 height, uint40 seen, uint40 put) = feed.state();
            same(round, number(".round"), "round");
            same(balance, number(".balanceSat"), "balanceSat");
            same(height, number(".btcHeight"), "btcHeight");
            same(seen, number(".observedAt"), "observedAt");
            same(put, number(".updatedAt"), "updatedAt");
        }
    }

    /// @dev Every function, error and event of the contract is in the list, by its selector or
    /// topic, and nothing else is.
    function test_abi() public {
        string memory artifact = vm.readFile(ARTIFACT);
        uint256 n = open("abi.json", "functions");
        string[] memory methods = vm.parseJsonKeys(artifact, ".methodIdentifiers");
        same(n, methods.length, "functions");
        for (uint256 i = 0; i < n; ++i) {
            root = item("functions", i);
            string memory selector =
                vm.parseJsonString(artifact, string.concat(".methodIdentifiers['", text(".signature"), "']"));
            same(string.concat("0x", selector), text(".selector"), text(".signature"));
        }
        uint256 described = n + open("abi.json", "errors") + open("abi.json", "events");
        uint256 entries = 0;
        while (vm.keyExistsJson(artifact, item("abi", entries))) ++entries;
        same(described + 1, entries, "functions, errors, events and the constructor");
    }

    function hasError(bytes4 selector, uint256 i) private {
        root = item("errors", i);
        same(bytes32(selector), bytes32(bytes4(data(".selector"))), text(".signature"));
    }

    function test_errors() public {
        same(open("abi.json", "errors"), 16, "errors");
        hasError(ReserveFeed.BadRound.selector, 0);
        hasError(ReserveFeed.HeightNotIncreasing.selector, 1);
        hasError(ReserveFeed.TimeDecreasing.selector, 2);
        hasError(ReserveFeed.TimeInFuture.selector, 3);
        hasError(ReserveFeed.ReportTooOld.selector, 4);
        hasError(ReserveFeed.BalanceAboveSupply.selector, 5);
        hasError(ReserveFeed.WrongSignatureCount.selector, 6);
        hasError(ReserveFeed.InvalidSignature.selector, 7);
        hasError(ReserveFeed.NotOperator.selector, 8);
        hasError(ReserveFeed.SignersNotAscending.selector, 9);
        hasError(ReserveFeed.AlreadyAttested.selector, 10);
        hasError(ReserveFeed.NoDataPresent.selector, 11);
        hasError(ReserveFeed.BadOperatorSet.selector, 12);
        hasError(ReserveFeed.NoSuchProposal.selector, 13);
        hasError(ReserveFeed.TooEarly.selector, 14);
        hasError(ReserveFeed.NotOwner.selector, 15);
    }

    function hasEvent(bytes32 topic, uint256 i) private {
        root = item("events", i);
        same(topic, word(".topic"), text(".signature"));
    }

    function test_events() public {
        same(open("abi.json", "events"), 9, "events");
        hasEvent(ReserveFeed.ReserveReported.selector, 0);
        hasEvent(ReserveFeed.AnswerUpdated.selector, 1);
        hasEvent(ReserveFeed.Attested.selector, 2);
        hasEvent(ReserveFeed.OperatorsProposed.selector, 3);
        hasEvent(ReserveFeed.OperatorsProposalCancelled.selector, 4);
        hasEvent(ReserveFeed.OperatorsChanged.selector, 5);
        hasEvent(ReserveFeed.OperatorRevoked.selector, 6);
        hasEvent(ReserveFeed.OwnershipTransferStarted.selector, 7);
        hasEvent(ReserveFeed.OwnershipTransferred.selector, 8);
    }
}
