// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Chainlink's price feed interface, through which any dapp reads the reserve.
interface AggregatorV3Interface {
    function decimals() external view returns (uint8);
    function description() external view returns (string memory);
    function version() external view returns (uint256);
    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
    function latestRoundData()
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}

/// @title ReserveFeed
/// @notice The bitcoin reserve of one feed, as k of n operators agree on it byte for byte.
///
/// A report is a function of a Bitcoin block and a set of scripts, so honest operators' reports
/// are equal, and k equal ones finalise a round; there is no median that could hide a dissenter.
/// They come as k signatures in one `submit` by anyone, or as k transactions of operators by
/// `attest`; signatures and attestations never add up. Zero is a reserve like any other, and
/// nothing is clamped: what breaks a rule is refused by an error that names the rule.
///
/// `configId` is part of every digest and rises with every change of operators, so signatures and
/// attestations made before the change are worthless after it.
///
/// Storage, by slot:
///   0  `_state`      the latest round and the configuration's numbers, exactly 256 bits from the
///                    low end: round 32, configId 32, threshold 8, count 8, balanceSat 64,
///                    btcHeight 32, observedAt 40, updatedAt 40. Reading the latest round, and
///                    checking a report against it, costs this one slot.
///   1  `_rounds`     one slot for each finalised round (208 of 256 bits)
///   2  `votes`       one slot for each digest that was attested: count 8, bitmap 248
///   3  `_place`      an operator's index in `_operators` plus one; 0 for anyone else
///   4  `_operators`  at most 31
///   5  `owner`
///   6  `pendingOwner`
///   7  `_proposal`   what `acceptOperators` must be given, hashed; 0 for no proposal
///   8  `_proposalEta`
///   9  `description`
/// The rest is immutable, and so part of the code.
contract ReserveFeed is AggregatorV3Interface {
    /// @notice What operators sign: the reserve at one Bitcoin block.
    /// @param round the round that this report is to become, the latest plus one
    /// @param balanceSat the reserve in satoshi
    /// @param btcHeight the block's height
    /// @param btcBlockHash the block's hash in display byte order
    /// @param observedAt the block's median-time-past (BIP 113), Unix seconds
    /// @param setHash the hash of the scripts that were summed
    struct Report {
        uint32 round;
        uint64 balanceSat;
        uint32 btcHeight;
        bytes32 btcBlockHash;
        uint64 observedAt;
        bytes32 setHash;
    }

    struct State {
        uint32 round;
        uint32 configId;
        uint8 threshold;
        uint8 count;
        uint64 balanceSat;
        uint32 btcHeight;
        uint40 observedAt;
        uint40 updatedAt;
    }

    struct Round {
        uint64 balanceSat;
        uint32 btcHeight;
        uint40 observedAt;
        uint40 updatedAt;
        uint32 configId;
    }

    struct Votes {
        uint8 count;
        uint248 bitmap;
    }

    /// @dev The bitmap of votes would hold 248; a set that large is no set anyone knows.
    uint256 private constant MAX_OPERATORS = 31;
    /// @dev 21 million BTC.
    uint64 private constant MAX_SUPPLY_SAT = 21_000_000 * 1e8;
    /// @dev How far a report's time may be ahead of this chain's, whose clocks differ.
    uint256 private constant MAX_AHEAD = 15 seconds;
    uint256 private constant SIGNATURE_LENGTH = 64;
    /// @dev EIP-2098 keeps the parity in the top bit of s.
    uint256 private constant S_MASK = type(uint256).max >> 1;
    /// @dev Half the order of secp256k1: a larger s is the malleated twin of a smaller one.
    uint256 private constant MAX_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    string private constant NAME = "ReserveFeed";
    string private constant VERSION = "1";
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "ReserveReport(bytes32 feedId,uint32 configId,uint32 round,uint64 balanceSat,uint32 btcHeight,"
        "bytes32 btcBlockHash,uint64 observedAt,bytes32 setHash)"
    );

    /// @notice keccak256 of the feed's name.
    bytes32 public immutable feedId;
    /// @notice A report older than this many seconds is refused.
    uint64 public immutable maxReportAge;
    /// @notice Seconds between proposing operators and accepting them.
    uint64 public immutable rotationDelay;
    uint256 private immutable _chainId;
    bytes32 private immutable _domainSeparator;

    State private _state;
    mapping(uint256 round => Round) private _rounds;
    /// @notice Attestations of a digest: how many, and whose, by bit of the operator's index in
    /// `operators()` as it was under the digest's configId.
    mapping(bytes32 digest => Votes) public votes;
    mapping(address operator => uint256) private _place;
    address[] private _operators;
    /// @notice Who may change the operators, and nothing else: an owner can't report.
    address public owner;
    /// @notice Who may become the owner by `acceptOwnership`.
    address public pendingOwner;
    bytes32 private _proposal;
    uint256 private _proposalEta;
    /// @inheritdoc AggregatorV3Interface
    string public override description;

    /// @notice A round is finalised.
    event ReserveReported(
        uint32 indexed round,
        uint32 indexed btcHeight,
        bytes32 indexed btcBlockHash,
        uint64 balanceSat,
        uint64 observedAt,
        bytes32 setHash,
        uint32 configId,
        address submitter
    );
    /// @notice Chainlink's event for a new answer.
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);
    /// @notice An operator voted for the report with this digest.
    event Attested(bytes32 indexed digest, address indexed operator, uint32 indexed round, uint64 balanceSat);
    /// @notice A change of operators may be accepted from `eta` on.
    event OperatorsProposed(address[] operators, uint8 threshold, uint256 eta);
    /// @notice The announced change was withdrawn, or another took its place.
    event OperatorsProposalCancelled();
    /// @notice From here on these are the operators, in the order of `operators()`.
    event OperatorsChanged(uint32 indexed configId, address[] operators, uint8 threshold);
    /// @notice From here on, and under this configId, `operator` is none.
    event OperatorRevoked(address indexed operator, uint32 configId);
    /// @notice Ownership is offered; to zero: no longer.
    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
    /// @notice Ownership was taken.
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    /// @notice The report's round isn't the latest plus one.
    error BadRound(uint32 expected, uint32 got);
    /// @notice The report's block isn't above the latest round's.
    error HeightNotIncreasing(uint32 last, uint32 got);
    /// @notice The report's time is before the latest round's.
    error TimeDecreasing(uint64 last, uint64 got);
    /// @notice The report's time is more than 15 s ahead of this chain's.
    error TimeInFuture(uint64 limit, uint64 got);
    /// @notice The report's time is more than maxReportAge behind this chain's.
    error ReportTooOld(uint64 oldest, uint64 got);
    /// @notice More than 21 million BTC.
    error BalanceAboveSupply(uint64 balanceSat);
    /// @notice Not exactly `expected` signatures of 64 bytes; a part of one counts as missing
    /// where there are too few and as one too many where there are too many.
    error WrongSignatureCount(uint256 expected, uint256 got);
    /// @notice The signature at `index` recovers to nobody, or has the high one of its two s.
    error InvalidSignature(uint256 index);
    /// @notice `account` isn't an operator under the present configuration.
    error NotOperator(address account);
    /// @notice The signer at `index` isn't above the one before, or is the same.
    error SignersNotAscending(uint256 index);
    /// @notice `operator` has attested this report already.
    error AlreadyAttested(address operator);
    /// @notice No round is finalised yet, or there is no such round.
    error NoDataPresent();
    /// @notice Not: 1 to 31 operators, no zero address, no address twice, n/2 < k <= n.
    error BadOperatorSet();
    /// @notice Nothing is proposed, or something else is.
    error NoSuchProposal();
    /// @notice The proposal can't be accepted before `eta`.
    error TooEarly(uint256 eta);
    /// @notice `account` isn't the owner (or, accepting ownership, not the pending one).
    error NotOwner(address account);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    /// @param owner_ who may change the operators; not zero
    /// @param feedId_ keccak256 of the feed's name
    /// @param description_ what people read, like "Reserve of WBTC"
    /// @param operators_ 1 to 31 addresses, in any order
    /// @param threshold_ how many must agree; more than half of them
    /// @param maxReportAge_ how old a report's block may be, in seconds
    /// @param rotationDelay_ how long a change of operators is announced before, in seconds
    constructor(
        address owner_,
        bytes32 feedId_,
        string memory description_,
        address[] memory operators_,
        uint8 threshold_,
        uint64 maxReportAge_,
        uint64 rotationDelay_
    ) {
        if (owner_ == address(0)) revert NotOwner(owner_);
        feedId = feedId_;
        maxReportAge = maxReportAge_;
        rotationDelay = rotationDelay_;
        _chainId = block.chainid;
        _domainSeparator = _hashDomain();
        owner = owner_;
        description = description_;
        emit OwnershipTransferred(address(0), owner_);
        _checkOperators(operators_, threshold_);
        _setOperators(operators_, threshold_);
    }

    // Reporting

    /// @notice Finalise a round by signatures of operators. Anyone may bring them.
    /// @param report what was signed
    /// @param signatures exactly `threshold` compact signatures (EIP-2098) of 64 bytes over
    /// `hashReport(report)`, by strictly ascending signer
    function submit(Report calldata report, bytes calldata signatures) external {
        State memory last = _state;
        _checkReport(report, last);
        _checkSignatures(_hashReport(report, last.configId), last.threshold, signatures);
        _finalise(report, last);
    }

    /// @notice Vote for a report as an operator; the vote that makes `threshold` equal ones
    /// finalises the round.
    function attest(Report calldata report) external {
        uint256 place = _place[msg.sender];
        if (place == 0) revert NotOperator(msg.sender);
        State memory last = _state;
        _checkReport(report, last);
        bytes32 digest = _hashReport(report, last.configId);
        Votes memory cast = votes[digest];
        uint248 bit = uint248(1) << uint8(place - 1);
        if (cast.bitmap & bit != 0) revert AlreadyAttested(msg.sender);
        cast.bitmap |= bit;
        ++cast.count;
        votes[digest] = cast;
        emit Attested(digest, msg.sender, report.round, report.balanceSat);
        if (cast.count == last.threshold) _finalise(report, last);
    }

    /// @notice The EIP-712 digest of a report under the present configuration, which is what
    /// operators sign. Says nothing of whether the report would be accepted.
    function hashReport(Report calldata report) external view returns (bytes32) {
        return _hashReport(report, _state.configId);
    }

    // Reading

    /// @inheritdoc AggregatorV3Interface
    function latestRoundData()
        external
        view
        override
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        State storage latest = _state;
        id = latest.round;
        if (id == 0) revert NoDataPresent();
        return (id, int256(uint256(latest.balanceSat)), latest.observedAt, latest.updatedAt, id);
    }

    /// @inheritdoc AggregatorV3Interface
    function getRoundData(uint80 roundId)
        external
        view
        override
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        Round memory found = _findRound(roundId);
        return (roundId, int256(uint256(found.balanceSat)), found.observedAt, found.updatedAt, roundId);
    }

    /// @notice The height of the Bitcoin block that a round reports.
    function roundHeight(uint80 roundId) external view returns (uint32) {
        return _findRound(roundId).btcHeight;
    }

    /// @notice The latest round and the configuration, as one storage slot holds them; round 0
    /// means that there is none yet.
    /// @return round the latest round
    /// @return configId rises with every change of operators
    /// @return threshold how many operators must agree
    /// @return count how many operators there are
    /// @return balanceSat the reserve in satoshi
    /// @return btcHeight the reported block's height
    /// @return observedAt the reported block's median-time-past
    /// @return updatedAt the time of this chain's block that finalised the round
    function state()
        external
        view
        returns (
            uint32 round,
            uint32 configId,
            uint8 threshold,
            uint8 count,
            uint64 balanceSat,
            uint32 btcHeight,
            uint40 observedAt,
            uint40 updatedAt
        )
    {
        State memory s = _state;
        return
            (s.round, s.configId, s.threshold, s.count, s.balanceSat, s.btcHeight, s.observedAt, s.updatedAt);
    }

    /// @notice The operators, in the order that the bits of `votes` have.
    function operators() external view returns (address[] memory) {
        return _operators;
    }

    /// @inheritdoc AggregatorV3Interface
    function decimals() external pure override returns (uint8) {
        return 8;
    }

    /// @inheritdoc AggregatorV3Interface
    function version() external pure override returns (uint256) {
        return 1;
    }

    /// @notice The EIP-712 domain separator on the chain that this is called on.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domain();
    }

    /// @notice The EIP-712 domain, as EIP-5267 describes one: name, version, chainId and
    /// verifyingContract are used.
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version_,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        return (hex"0f", NAME, VERSION, block.chainid, address(this), bytes32(0), new uint256[](0));
    }

    // Operators

    /// @notice Announce a change of operators, in place of any announced before.
    function proposeOperators(address[] calldata operators_, uint8 threshold_) external onlyOwner {
        _checkOperators(operators_, threshold_);
        if (_proposal != 0) emit OperatorsProposalCancelled();
        uint256 eta = block.timestamp + rotationDelay;
        _proposal = _hashProposal(operators_, threshold_);
        _proposalEta = eta;
        emit OperatorsProposed(operators_, threshold_, eta);
    }

    /// @notice Put an announced change into effect, once rotationDelay has passed. The arguments
    /// are the proposed ones, in the same order.
    function acceptOperators(address[] calldata operators_, uint8 threshold_) external onlyOwner {
        if (_proposal != _hashProposal(operators_, threshold_)) revert NoSuchProposal();
        if (block.timestamp < _proposalEta) revert TooEarly(_proposalEta);
        _forgetProposal();
        _setOperators(operators_, threshold_);
    }

    /// @notice Withdraw an announced change.
    function cancelProposal() external onlyOwner {
        if (_proposal == 0) revert NoSuchProposal();
        _forgetProposal();
        emit OperatorsProposalCancelled();
    }

    /// @notice Remove an operator at once. The threshold stays; where it would exceed the
    /// operators left, the revocation is refused.
    function revokeOperator(address operator) external onlyOwner {
        uint256 place = _place[operator];
        if (place == 0) revert NotOperator(operator);
        State memory s = _state;
        if (s.count <= s.threshold) revert BadOperatorSet();
        address last = _operators[s.count - 1];
        _operators[place - 1] = last;
        _place[last] = place;
        _operators.pop();
        delete _place[operator];
        ++s.configId;
        --s.count;
        _state = s;
        emit OperatorRevoked(operator, s.configId);
    }

    // Ownership

    /// @notice Offer ownership; the new owner must take it. Zero withdraws the offer.
    function transferOwnership(address newOwner) external onlyOwner {
        pendingOwner = newOwner;
        emit OwnershipTransferStarted(owner, newOwner);
    }

    /// @notice Take the ownership that was offered.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotOwner(msg.sender);
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        delete pendingOwner;
    }

    // Within

    function _checkReport(Report calldata report, State memory last) private view {
        uint32 expected = last.round + 1;
        if (report.round != expected) revert BadRound(expected, report.round);
        if (report.btcHeight <= last.btcHeight) {
            revert HeightNotIncreasing(last.btcHeight, report.btcHeight);
        }
        uint64 time = report.observedAt;
        if (time < last.observedAt) revert TimeDecreasing(last.observedAt, time);
        if (time > block.timestamp + MAX_AHEAD) {
            revert TimeInFuture(uint64(block.timestamp + MAX_AHEAD), time);
        }
        if (uint256(time) + maxReportAge < block.timestamp) {
            revert ReportTooOld(uint64(block.timestamp - maxReportAge), time);
        }
        if (report.balanceSat > MAX_SUPPLY_SAT) revert BalanceAboveSupply(report.balanceSat);
    }

    function _checkSignatures(bytes32 digest, uint256 threshold, bytes calldata signatures) private view {
        uint256 expected = threshold * SIGNATURE_LENGTH;
        if (signatures.length != expected) {
            uint256 part = signatures.length < expected ? 0 : SIGNATURE_LENGTH - 1;
            revert WrongSignatureCount(threshold, (signatures.length + part) / SIGNATURE_LENGTH);
        }
        address previous = address(0);
        for (uint256 i = 0; i < threshold; ++i) {
            bytes32 r;
            uint256 vs;
            assembly ("memory-safe") {
                let position := add(signatures.offset, shl(6, i))
                r := calldataload(position)
                vs := calldataload(add(position, 32))
            }
            uint256 s = vs & S_MASK;
            if (s > MAX_S) revert InvalidSignature(i);
            address signer = ecrecover(digest, uint8(27 + (vs >> 255)), r, bytes32(s));
            if (signer == address(0)) revert InvalidSignature(i);
            if (signer <= previous) revert SignersNotAscending(i);
            if (_place[signer] == 0) revert NotOperator(signer);
            previous = signer;
        }
    }

    /// @dev `last` is the present state, which this makes the next.
    function _finalise(Report calldata report, State memory last) private {
        // The rules bound observedAt by the block's time, which fits 40 bits for 34,000 years.
        last.round = report.round;
        last.balanceSat = report.balanceSat;
        last.btcHeight = report.btcHeight;
        last.observedAt = uint40(report.observedAt);
        last.updatedAt = uint40(block.timestamp);
        _state = last;
        _rounds[last.round] =
            Round(last.balanceSat, last.btcHeight, last.observedAt, last.updatedAt, last.configId);
        emit ReserveReported(
            last.round,
            last.btcHeight,
            report.btcBlockHash,
            last.balanceSat,
            last.observedAt,
            report.setHash,
            last.configId,
            msg.sender
        );
        emit AnswerUpdated(int256(uint256(last.balanceSat)), last.round, block.timestamp);
    }

    function _findRound(uint256 roundId) private view returns (Round memory found) {
        found = _rounds[roundId];
        if (found.updatedAt == 0) revert NoDataPresent();
    }

    function _hashReport(Report calldata report, uint32 configId) private view returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                REPORT_TYPEHASH,
                feedId,
                configId,
                report.round,
                report.balanceSat,
                report.btcHeight,
                report.btcBlockHash,
                report.observedAt,
                report.setHash
            )
        );
        return keccak256(abi.encodePacked(hex"1901", _domain(), structHash));
    }

    /// @dev A chain that splits off gets a chain id, and thereby a domain, of its own.
    function _domain() private view returns (bytes32) {
        return block.chainid == _chainId ? _domainSeparator : _hashDomain();
    }

    function _hashDomain() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH,
                keccak256(bytes(NAME)),
                keccak256(bytes(VERSION)),
                block.chainid,
                address(this)
            )
        );
    }

    function _checkOperators(address[] memory operators_, uint256 threshold) private pure {
        uint256 n = operators_.length;
        if (n > MAX_OPERATORS || threshold > n || 2 * threshold <= n) revert BadOperatorSet();
        for (uint256 i = 0; i < n; ++i) {
            if (operators_[i] == address(0)) revert BadOperatorSet();
            for (uint256 j = 0; j < i; ++j) {
                if (operators_[j] == operators_[i]) revert BadOperatorSet();
            }
        }
    }

    function _hashProposal(address[] calldata operators_, uint8 threshold) private pure returns (bytes32) {
        return keccak256(abi.encode(operators_, threshold));
    }

    function _forgetProposal() private {
        delete _proposal;
        delete _proposalEta;
    }

    /// @dev Puts a checked set in the present one's place.
    function _setOperators(address[] memory operators_, uint8 threshold) private {
        uint256 old = _operators.length;
        for (uint256 i = 0; i < old; ++i) {
            delete _place[_operators[i]];
        }
        for (uint256 i = 0; i < operators_.length; ++i) {
            _place[operators_[i]] = i + 1;
        }
        _operators = operators_;
        State memory s = _state;
        ++s.configId;
        s.threshold = threshold;
        s.count = uint8(operators_.length);
        _state = s;
        emit OperatorsChanged(s.configId, operators_, threshold);
    }
}
