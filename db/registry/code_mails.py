"""The text of mails with a code, and of notices: one form for each errand. Knows words; not accounts or HTTP."""

# What the code is for, and what to do when nobody here asked for it.
_WORDS = {
    "sign_in": (
        "code",
        "Or open this link to sign in:",
        "If you did not ask for it, ignore this message; nobody can sign in without the code.",
    ),
    "sign_up": (
        "code to confirm your sign-up",
        "Or open this link to confirm it:",
        (
            "Use it only if you signed up yourself just now: it confirms the password chosen then. If you did not, "
            "ignore this message; without the code there is no account."
        ),
    ),
    "invite": (
        "code to accept your invitation",
        "Or open this link to accept it:",
        "If you expect no invitation, ignore this message.",
    ),
    "registration": (
        "code to open",
        "",
        "If you do not want to open it, ignore this message; without the code nothing is made.",
    ),
    "recovery": (
        "code to choose a new password",
        "Or open this link to choose one:",
        "If you did not ask for it, ignore this message; your password stays as it is.",
    ),
    "email_change": (
        "code to confirm the change of your address",
        "Or open this link to confirm it:",
        "If you did not ask for it, ignore this message, and change your password: somebody is signed in as you.",
    ),
    "reauthentication": (
        "code to confirm that it is you",
        "",
        "If you did not ask for it, change your password: somebody is signed in as you.",
    ),
}
_NOTICES = {
    "password_changed": "The password of your account was changed.",
    "email_changed": "The address of your account was changed; this one signs in no more.",
    "factor_added": "A second factor was added to your account; signing in asks for its code from now on.",
    "factor_removed": "A second factor was removed from your account.",
    "identity_linked": "An account elsewhere was linked to yours and can sign in as you from now on.",
}


def code_mail(
    purpose: str, vault_name: str, code: str, link: str | None, minutes: int, about: str = ""
) -> dict[str, str]:
    """Subject and text of the mail that carries a code.

    purpose: as codes have it. minutes: how long it lives. about: a sentence on what exactly is confirmed.
    """
    what, invitation, otherwise = _WORDS[purpose]
    what = f"{what} {vault_name}" if purpose == "registration" else f"{what} for {vault_name}"
    lines = [f"Your {what} is {code}.", f"It is valid for {minutes} minutes and works once."]
    if about:
        lines.insert(0, about)
    if link is not None and invitation:
        lines.append(f"{invitation}\n{link}")
    lines.append(otherwise)
    return {"subject": f"{code} is your {what}", "text": "\n\n".join(lines) + "\n"}


def notice_mail(kind: str, vault_name: str) -> dict[str, str] | None:
    """Subject and text of the mail that tells of a security alert, or None for a kind that is not mailed."""
    what = _NOTICES.get(kind)
    if what is None:
        return None
    text = f"{what}\n\nIf it was not you, choose a new password at {vault_name} and sign out everywhere.\n"
    return {"subject": f"{vault_name}: {what.partition(';')[0].rstrip('.')}", "text": text}
