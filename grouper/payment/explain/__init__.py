"""Why a case is paid what it is paid."""
