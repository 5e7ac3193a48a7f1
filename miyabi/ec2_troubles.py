"""What went wrong with a call to AWS, as one line that says what to do. Pure: botocore's errors are known by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from miyabi.errors import Ec2Error, Ec2Trouble

_LONGEST = 200

_LOG_IN = "log in again (aws sso login), or renew what is in ~/.aws/credentials"
_NAME_SOME = "log in (aws sso login), set AWS_PROFILE or AWS_ACCESS_KEY_ID, or name a profile in inventory/ec2.yaml"
_LOOK_AT_THEM = "look at AWS_* and ~/.aws, and at this machine's clock"
_LATER = "EC2's own trouble: see https://health.aws.amazon.com, or try later"
_NETWORK = "is there a network, and is that a region's name?"
_FEWER = "others use the account's API calls up: try later, or ask less often (keep in inventory/ec2.yaml)"

_EXPIRED = f"the session token has expired: {_LOG_IN}"
_WRONG = f"AWS does not accept the credentials; {_LOOK_AT_THEM}"

# The code of an answer -> kind, and what is said; "" is AWS's own words.
_CODES: Mapping[str, tuple[Ec2Trouble, str]] = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), ("credentials", _EXPIRED)),
    # EC2 says so of a token that is over, and of a signature by a clock that is wrong.
    "RequestExpired": ("credentials", f"{_EXPIRED}; if you just have, set this machine's clock"),
    **dict.fromkeys(
        (
            "AuthFailure",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        ("credentials", _WRONG),
    ),
    "OptInRequired": ("denied", "the account does not use this region or service: enable it, or take it out"),
    **dict.fromkeys(
        (
            "EC2ThrottledException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "Throttling",
            "ThrottledException",
            "ThrottlingException",
            "TooManyRequestsException",
        ),
        ("throttled", f"it answers no more for now (throttled): {_FEWER}"),
    ),
    **dict.fromkeys(
        (
            "InsufficientAddressCapacity",
            "InsufficientCapacity",
            "InsufficientFreeAddressesInSubnet",
            "InsufficientHostCapacity",
            "InsufficientInstanceCapacity",
            "InsufficientReservedInstanceCapacity",
            "InstanceLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "SpotMaxPriceTooLow",
            "VcpuLimitExceeded",
            "VolumeLimitExceeded",
        ),
        ("limit", ""),
    ),
    **dict.fromkeys(
        (
            "DependencyViolation",
            "IncorrectInstanceState",
            "IncorrectSpotRequestState",
            "IncorrectState",
            "InvalidInstanceId",  # Systems Manager's word for an instance whose agent is not there.
            "OperationNotPermitted",
            "Unsupported",
            "UnsupportedHibernationConfiguration",
            "UnsupportedOperation",
            "UnsupportedPlatformType",
        ),
        ("refused", ""),
    ),
    **dict.fromkeys(
        ("InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "Unavailable"), ("fault", "")
    ),
}
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")

# The name of an error of botocore, or of one that it is derived from -> kind, and what is said; "" is its own words.
_ERRORS: Mapping[str, tuple[Ec2Trouble, str]] = {
    "NoCredentialsError": ("credentials", f"there are no credentials; {_NAME_SOME}"),
    "NoAuthTokenError": ("credentials", f"there are no credentials; {_NAME_SOME}"),
    "PartialCredentialsError": ("credentials", f"the credentials are not complete: {_LOOK_AT_THEM}"),
    "ProfileNotFound": ("credentials", ""),
    "ConfigParseError": ("credentials", ""),
    "ConfigNotFound": ("credentials", ""),
    "InvalidConfigError": ("credentials", ""),
    "InvalidIMDSEndpointError": ("credentials", ""),
    "MetadataRetrievalError": ("credentials", ""),
    "RefreshWithMFAUnsupportedError": ("credentials", ""),
    "UnauthorizedSSOTokenError": ("credentials", f"the session has expired: {_LOG_IN}"),
    "SSOTokenLoadError": ("credentials", f"the session has expired: {_LOG_IN}"),
    "TokenRetrievalError": ("credentials", f"the session has expired: {_LOG_IN}"),
    "SSOError": ("credentials", ""),
    "LoginError": ("credentials", f"the session has expired: {_LOG_IN}"),
    "CredentialRetrievalError": ("credentials", ""),
    "SSLError": ("unreachable", "its certificate is not trusted: is there a proxy? AWS_CA_BUNDLE names its authority"),
    "ProxyConnectionError": ("unreachable", "the proxy cannot be reached: look at HTTPS_PROXY"),
    "InvalidProxiesConfigError": ("unreachable", "the proxy's settings are wrong: look at HTTPS_PROXY"),
    "ConnectTimeoutError": ("unreachable", f"nobody answers there: {_NETWORK}"),
    "ReadTimeoutError": ("unreachable", f"no answer in time: {_LATER}"),
    "EndpointConnectionError": ("unreachable", f"it cannot be reached: {_NETWORK}"),
    "ConnectionClosedError": ("unreachable", "it closed the connection: is there a proxy? try later"),
    "IncompleteReadError": ("unreachable", "it closed the connection: is there a proxy? try later"),
    "ResponseStreamingError": ("unreachable", "it closed the connection: is there a proxy? try later"),
    "HTTPClientError": ("unreachable", f"it cannot be reached: {_NETWORK}"),
    "ConnectionError": ("unreachable", f"it cannot be reached: {_NETWORK}"),
    "ResponseParserError": ("fault", "what answers is not EC2: is there a proxy, or a page to log in to a network?"),
    "InvalidRegionError": ("request", "that is no region's name: look at inventory/ec2.yaml"),
    "NoRegionError": ("request", "no region is named"),
}


def trouble(service: str, region: str, error: BaseException) -> Ec2Error:
    """What a call's error means.

    + service: ``EC2`` or ``SSM``, to begin the line with
    + error: botocore's, or whatever else was raised while AWS was asked
    """
    kind, said = _of_answer(error) if code_of(error) else _of_error(error)
    return Ec2Error(kind, f"{service} {region}: {one_line(said)}")


def code_of(error: BaseException) -> str:
    """The code of what AWS answered, such as ``InvalidInstanceID.NotFound``; "" when it did not answer."""
    return str(_answered(error).get("Code") or "")


def message_of(error: BaseException) -> str:
    """AWS's own words; "" when it did not answer."""
    return str(_answered(error).get("Message") or "")


def one_line(text: str) -> str:
    """``text`` in one line that can be shown: without control characters, and cut where it gets long."""
    plain = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    # What follows is a ticket of some hundred letters that only an administrator can read.
    plain = re.split(r"\.? *Encoded authorization failure message", plain)[0]
    return plain if len(plain) <= 2 * _LONGEST else f"{plain[: 2 * _LONGEST]}..."


def _answered(error: BaseException) -> Mapping[str, object]:
    response = getattr(error, "response", None)
    answered = response.get("Error") if isinstance(response, Mapping) else None
    return answered if isinstance(answered, Mapping) else {}


def _of_answer(error: BaseException) -> tuple[Ec2Trouble, str]:
    code, message = code_of(error), message_of(error)
    action = str(getattr(error, "operation_name", "") or "the call")
    words = f"{action}: {one_line(message)[:_LONGEST]} ({code})" if message else f"{action}: {code}"
    if code in _DENIED:
        return "denied", f"{action} is not allowed to these credentials; allow it in their policy (docs/l4.md)"
    kind, said = _CODES.get(code) or (_kind_by(_status(error)), "")
    return kind, said or (f"{words}: {_LATER}" if kind == "fault" else words)


def _kind_by(status: int) -> Ec2Trouble:
    return "fault" if status >= 500 else "throttled" if status == 429 else "request"


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    about = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    status = about.get("HTTPStatusCode") if isinstance(about, Mapping) else None
    return status if isinstance(status, int) else 0


def _of_error(error: BaseException) -> tuple[Ec2Trouble, str]:
    for name in _names(error):
        if name in _ERRORS:
            kind, said = _ERRORS[name]
            return kind, said or _own_words(error)
    if isinstance(error, OSError):
        return "unreachable", f"it cannot be reached ({error.strerror or type(error).__name__}): {_NETWORK}"
    return "request", f"{type(error).__name__}: {_own_words(error)}"


def _own_words(error: BaseException) -> str:
    return one_line(str(error))[:_LONGEST] or type(error).__name__


def _names(error: BaseException) -> Iterator[str]:
    """The names of an error's classes, its own first."""
    return (each.__name__ for each in type(error).__mro__)
