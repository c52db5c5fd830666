"""The engine: log, vault, stores, migrations, REST-to-SQL, registry. Knows no charter by name and no HTTP."""
