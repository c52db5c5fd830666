"""`vaultry tenants label`: labels are put on, taken off, shown, and found by."""


def test_labels_are_changed_shown_and_listed_by(choir):
    choir.choir("aurora")
    assert choir.ok("tenants", "label", "bella", "pilot", "north") == "north pilot\n"
    assert choir.json("tenants", "label", "bella", "south", "--remove", "north") == {
        "slug": "bella",
        "labels": ["pilot", "south"],
    }
    assert choir.ok("tenants", "label", "bella") == "pilot south\n"
    listed = choir.json("tenants", "list", "--label", "pilot")
    assert ([tenant["slug"] for tenant in listed["tenants"]], listed["total"]) == (["bella"], 1)
    assert choir.json("tenants", "list")["total"] == 2


def test_a_label_of_another_form_is_refused_wherever_it_is_named(choir):
    for words in (("label", "bella", "Über"), ("label", "bella", "--remove", "a b"), ("list", "--label", "A")):
        assert "got " in choir.refused("tenants", *words)
    assert choir.json("tenants", "label", "bella")["labels"] == []


def test_the_change_is_in_the_audit_log_of_the_registry(choir, open_services):
    choir.ok("tenants", "label", "bella", "pilot")
    last = "SELECT verb, table_name, new_values FROM vaultry_audit ORDER BY seq DESC LIMIT 1"
    row = open_services().registry_read(lambda tx: tx.row(last))
    assert (row["verb"], row["table_name"]) == ("tenants.label", "vault_labels")
    assert '"pilot"' in row["new_values"]
