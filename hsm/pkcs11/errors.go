//go:build pkcs11

package pkcs11

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
	"github.com/thales-e-security/pool"

	"sceau/lifecycle"
)

// codeOf is the module's return value (PKCS #11 v2.40 §5.1).
func codeOf(err error) (uint, bool) {
	code, ok := errors.AsType[pkcs11.Error](err)
	return uint(code), ok
}

// sorted gives a module's error its kind. Return values hold no secret.
func sorted(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[lifecycle.Kind](err); ok {
		return err
	}
	code, ok := codeOf(err)
	if !ok {
		if errors.Is(err, pool.ErrTimeout) || closed(err) {
			return fmt.Errorf("%w: %w", lifecycle.Unavailable, err)
		}
		return err
	}
	switch code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE,
		pkcs11.CKR_USER_PIN_NOT_INITIALIZED, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_TOKEN_WRITE_PROTECTED:
		return fmt.Errorf("%w: %w", lifecycle.Forbidden, err)
	case pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_KEY_SIZE_RANGE,
		pkcs11.CKR_DATA_LEN_RANGE, pkcs11.CKR_DATA_INVALID, pkcs11.CKR_TEMPLATE_INCONSISTENT, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID:
		return fmt.Errorf("%w: %w", lifecycle.Invalid, err)
	}
	// All others are the module's, the token's or the session's: the next call
	// opens it again.
	return fmt.Errorf("%w: %w", lifecycle.Unavailable, err)
}

// closed tells that another caller dropped the login before this one had a
// session of it: crypto11 does not export those errors.
func closed(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return text == "context is closed" || text == "cannot used closed Context" || errors.Is(err, pool.ErrClosed)
}
