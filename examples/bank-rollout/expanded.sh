# Has the table what v2 writes, and can v1 live with it? A real one asks the database, and exits with another code than 0 if not.
echo "payments.iban_hash is there and nullable, before $GRAYLANE_CANARY goes from $GRAYLANE_FROM to $GRAYLANE_TO %"
