"""An access token of a person, minted past the sign-in pages. Knows the registry's signing keys; sends no mail."""

from db.clock import system_moment
from db.registry.access_tokens import mint_access_token
from db.registry.signing_keys import current_signer
from handlers.services import Services
from tests.handlers.http.site import Choir


def person_token(services: Services, choir: Choir) -> str:
    """A token of the choir's owner, good for a quarter of an hour."""
    now = system_moment()
    signer = services.registry_read(lambda tx: current_signer(tx, services.keyring, now))
    return mint_access_token(
        signer,
        account_id=now.new_id(),
        email=choir.owner,
        vault_id=choir.entry.id,
        session_id=now.new_id(),
        issuer=services.settings.issuer,
        now=now,
    )
