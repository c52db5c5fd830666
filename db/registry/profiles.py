"""An account with what belongs to it, read at once: identities and second factors. Changes nothing."""

from dataclasses import dataclass

from db.registry.accounts import Account
from db.registry.factors import Factor, list_factors
from db.registry.identities import LinkedIdentity, list_identities
from db.transaction import ReadTx


@dataclass(frozen=True, slots=True)
class Profile:
    """What clients see as the user."""

    account: Account
    identities: tuple[LinkedIdentity, ...] = ()
    factors: tuple[Factor, ...] = ()

    @property
    def has_factor(self) -> bool:
        """Whether a second factor is verified."""
        return any(factor.verified_at is not None for factor in self.factors)


def profile_of(tx: ReadTx, account: Account) -> Profile:
    """The account with its identities and factors."""
    return Profile(account, tuple(list_identities(tx, account.id)), tuple(list_factors(tx, account.id)))
