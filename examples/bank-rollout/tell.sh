# A real one pages, and closes the change.
echo "$GRAYLANE_SERVICE: $GRAYLANE_CANARY is back from $GRAYLANE_FROM % to $GRAYLANE_TO %"
