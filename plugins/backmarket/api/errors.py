"""What can go wrong with the seller API, named by what the caller has to do about it.

::

    BackMarketError
    ├── AuthenticationError      401: a person must renew the token
    ├── FirewallError            403 of the firewall: a person must ask Back Market; stop sending
    ├── ForbiddenError           403 of the API: the account may not do this
    ├── NotFoundError            404
    ├── RefusedError             400, 409, 422 and other 4xx: correct what was sent
    ├── RedirectRefusedError     3xx: correct the host
    ├── ThrottledError           429, 503 of Cloudflare, or our own count of a limit: wait `retry_after`, then again
    ├── ServerError              5xx: again later; a write may have been applied
    ├── NetworkError             no answer: again later; a write may have been applied
    ├── MalformedAnswerError     2xx whose body is not what was asked for
    │   └── UnreadableDocumentError  one document does not fit its model; it carries the document
    ├── OutOfTimeError           not asked: the time that the caller has for it is over
    └── ShortReadError           a list that cannot be read whole

The texts name method, path and Cloudflare's or Back Market's ids, never a query, header or body: they end up in
logs. The one exception is :attr:`BackMarketError.api_message`, the API's reason for a refusal; e-mail addresses and
telephone numbers are taken out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import timedelta


class BackMarketError(Exception):
    """Anything that keeps the seller API from doing what it was asked.

    :param detail: what is particular to this case, in words that may be logged.
    :param method: the HTTP method.
    :param path: the path without its query.
    :param status: the HTTP status; None without an answer.
    :param request_id: Back Market's id of the request, for its support.
    :param cf_ray: Cloudflare's id of the request, for Back Market's support.
    :param api_message: the API's own words, at most 300 characters; only where it refused what was sent.
    :param retry_after: how long the server asked to wait.
    """

    happened: ClassVar[str] = "Back Market could not be used"
    advice: ClassVar[str] = ""
    never_applies: ClassVar[bool] = False

    def __init__(
        self,
        detail: str = "",
        *,
        method: str = "",
        path: str = "",
        status: int | None = None,
        request_id: str | None = None,
        cf_ray: str | None = None,
        api_message: str | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.method = method
        self.path = path
        self.status = status
        self.request_id = request_id
        self.cf_ray = cf_ray
        self.api_message = api_message
        self.retry_after = retry_after

    @property
    def surely_not_applied(self) -> bool:
        """Whether a write that ended so certainly had no effect; where False, read before writing again."""
        return self.never_applies

    def __str__(self) -> str:
        """Say what happened, to what, why, and what to do."""
        reason = ": ".join(part for part in (self.detail, self.api_message) if part)
        sentence = f"{self.happened}{self._target()}{self._ids()}{f': {reason}' if reason else ''}"
        return " ".join(part for part in (f"{sentence.rstrip('.')}.", self.advice) if part)

    def _target(self) -> str:
        return f" at {self.method} {self.path}" if self.path else ""

    def _ids(self) -> str:
        named = (("status", self.status), ("request", self.request_id), ("cf-ray", self.cf_ray))
        ids = ", ".join(f"{name} {value}" for name, value in named if value is not None)
        return f" ({ids})" if ids else ""


class AuthenticationError(BackMarketError):
    """401: the token is wrong, or was invalidated by a password change or a forced renewal. Final."""

    happened = "Back Market refused the token"
    advice = (
        "Create a new token in the Back Office (Options, Integrations page) and put it into the Airflow connection."
    )
    never_applies = True


class FirewallError(BackMarketError):
    """403 from the firewall or the bot management, which look at the sender and not at the request."""

    happened = "Back Market's firewall refused the request"
    advice = (
        "Stop sending, check the user agent, and give the cf-ray and this machine's public address to your Back "
        "Market contact."
    )
    never_applies = True


class ForbiddenError(BackMarketError):
    """403 from the API itself: the account exists and may not do this."""

    happened = "Back Market does not allow this account to do that"
    advice = "Ask your Back Market contact to enable it."
    never_applies = True


class NotFoundError(BackMarketError):
    """404: it does not exist, or belongs to another seller."""

    happened = "Back Market knows no such thing"
    never_applies = True


class RefusedError(BackMarketError):
    """400, 409, 422 and other 4xx: the API understood the request and refused it; see ``api_message``."""

    happened = "Back Market refused what was sent"
    advice = "Correct it; sending the same again will be refused again."
    never_applies = True

    @property
    def is_verdict(self) -> bool:
        """Whether it judges what was sent, by the statuses of the spec; another 4xx may pass, as 423 (locked)."""
        return self.status in {None, 400, 409, 413, 422}


class RedirectRefusedError(BackMarketError):
    """3xx: following it would show the token and the body to whoever it names."""

    happened = "Back Market's address answered with a redirect, which is never followed"
    advice = "Correct the host of the Airflow connection."
    never_applies = True


class ThrottledError(BackMarketError):
    """429, or 503 from Cloudflare: too many requests, from this client or from others of the same account.

    Without a status the request never left: by our own count it would have been one too many, for a long time.
    """

    happened = "Back Market limits the rate of requests"
    advice = "Wait before trying again, and look for other programs that use the same account."

    @property
    def surely_not_applied(self) -> bool:
        """A 429 stops a request at the door; Cloudflare passes on 503s of the server behind it, too."""
        return self.status in {None, 429}


class ServerError(BackMarketError):
    """5xx: Back Market failed, at an unknown point of its work."""

    happened = "Back Market failed"
    advice = "Try again later; read back what was being written before writing again."


class NetworkError(BackMarketError):
    """No answer: name resolution, refused or reset connections, timeouts.

    :param request_was_sent: whether a byte of the request may have left this machine.
    """

    happened = "Back Market could not be reached"
    advice = "Try again later; read back what was being written before writing again."

    def __init__(self, detail: str = "", *, method: str = "", path: str = "", request_was_sent: bool = True) -> None:
        super().__init__(detail, method=method, path=path)
        self.request_was_sent = request_was_sent

    @property
    def surely_not_applied(self) -> bool:
        """A request that never left cannot have been applied."""
        return not self.request_was_sent


class MalformedAnswerError(BackMarketError):
    """2xx whose body is cut, HTML, or JSON of another shape than asked for."""

    happened = "Back Market answered something that cannot be read"
    advice = "Try again later; read back what was being written before writing again."


class UnreadableDocumentError(MalformedAnswerError):
    """One document does not fit its model.

    :param document: the document as it came; it may hold personal data, and no text of this error shows it.
    """

    happened = "Back Market answered a document that this version does not understand"
    advice = "Nothing is lost on Back Market's side; report the fields named here."

    def __init__(self, detail: str = "", *, method: str = "", path: str = "", document: object = None) -> None:
        super().__init__(detail, method=method, path=path)
        self.document = document


class OutOfTimeError(BackMarketError):
    """The request was not made, or not once more: the time that its caller has is over."""

    happened = "Back Market was asked no further, as the time for it is over"
    advice = "A later run goes on."
    never_applies = True


class ShortReadError(BackMarketError):
    """A list whose pages did not meet, or lacked rows, however often they were read: the rest may be missing."""

    happened = "Back Market's list came out short"
    advice = "Try again later; what was read may be kept, but the list must not count as complete."
    never_applies = True
