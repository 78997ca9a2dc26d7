package lifecycle_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/lifecycle"
)

func TestReasonsHaveTheNamesAndNumbersOfRFC5280(t *testing.T) {
	t.Parallel()
	names := []string{
		"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "reason(7)", "removeFromCRL", "privilegeWithdrawn", "aACompromise", "reason(11)",
	}
	for number, want := range names {
		if got := lifecycle.RevocationReason(number).String(); got != want {
			t.Errorf("reason %d is %s, want %s", number, got, want)
		}
	}
	if got := lifecycle.RevocationReason(-1).String(); got != "reason(-1)" {
		t.Errorf("reason -1 is %s", got)
	}
}

func TestAPersonGivesSixReasonsForAnEnd(t *testing.T) {
	t.Parallel()
	given := map[string]lifecycle.RevocationReason{
		"unspecified":          lifecycle.ReasonUnspecified,
		"keyCompromise":        lifecycle.ReasonKeyCompromise,
		"affiliationChanged":   lifecycle.ReasonAffiliationChanged,
		"superseded":           lifecycle.ReasonSuperseded,
		"cessationOfOperation": lifecycle.ReasonCessationOfOperation,
		"privilegeWithdrawn":   lifecycle.ReasonPrivilegeWithdrawn,
	}
	for name, want := range given {
		got, err := lifecycle.ParseRevocationReason(name)
		if err != nil || got != want || got.String() != name {
			t.Errorf("ParseRevocationReason(%s) = %s, %v", name, got, err)
		}
	}
	refused := []string{"", "certificateHold", "removeFromCRL", "cACompromise", "aACompromise", "keycompromise", "1", "reason(7)", " superseded"}
	for _, name := range refused {
		_, err := lifecycle.ParseRevocationReason(name)
		var field *lifecycle.FieldError
		if !errors.As(err, &field) || field.Field != "reason" || !errors.Is(err, lifecycle.Invalid) {
			t.Errorf("ParseRevocationReason(%q) = %v, want a field error on reason", name, err)
		}
		for offered := range given {
			if err != nil && !strings.Contains(err.Error(), offered) {
				t.Errorf("the error for %q does not offer %s", name, offered)
			}
		}
	}
}

func TestReasonsForCardsAreDistinctAndKnown(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]lifecycle.CardReason{
		"replacement": lifecycle.ReplacementReasons(), "opposition": lifecycle.OppositionReasons(),
	} {
		if len(list) == 0 || len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list) || slices.Contains(list, "") {
			t.Errorf("the reasons for a %s are empty or repeat themselves: %v", name, list)
		}
	}
	for _, r := range []lifecycle.CardReason{lifecycle.CardLost, lifecycle.CardStolen, lifecycle.CardFraud, lifecycle.CardNotReceived} {
		if !slices.Contains(lifecycle.OppositionReasons(), r) || !slices.Contains(lifecycle.ReplacementReasons(), r) {
			t.Errorf("a card that is %s must be both opposed and replaced", r)
		}
	}
}

func TestEverySerialIsPositiveAndOfOneLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "random"))
		s := lifecycle.SerialFrom(random)
		if s[0]&0xC0 != 0x40 {
			t.Fatalf("%s: the top bits are not 01: its INTEGER would be negative, or shorter", s)
		}
		// 126 bits are the drawn ones.
		if s[0]&0x3F != random[0]&0x3F || !slices.Equal(s[1:], random[1:]) {
			t.Fatalf("%s is not made of %x", s, random)
		}
		if want := hex.EncodeToString(s[:]); s.String() != want || fmt.Sprint(s) != want {
			t.Fatalf("%x is shown as %s", s[:], s)
		}
		if n := new(big.Int).SetBytes(s[:]); n.Sign() <= 0 || n.BitLen() != 127 {
			t.Fatalf("%s has %d bits, want 127", s, n.BitLen())
		}
	})
}
