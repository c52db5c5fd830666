"""The registry: accounts, sign-in, keys and the directory of tenants. Knows nothing of a tenant's business.

Functions are plain and synchronous, `f(tx, …, now)`, and raise errors of db/errors.py, with one exception: where a
refusal itself has to be kept (a wrong guess counted, a stolen family revoked) the function returns a `Refused`, since
raising inside the transaction would undo it. Commit first, then call `accepted` on the outcome.
"""
