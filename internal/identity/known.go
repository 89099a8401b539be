package identity

// ChangedError says that another node answers at an address than the one that is known there.
type ChangedError struct{ Address string }

// Error returns sentences for the user.
func (e *ChangedError) Error() string { return e.Address + " is another node now" }
