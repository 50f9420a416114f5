#!/bin/sh
# Makes the namespace when it is missing. Retention is how long closed workflows can be looked at; the facts are in our
# own database, and rows are never decided by what Temporal still remembers.
set -eu

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "${TEMPORAL_RETENTION:-720h}"
