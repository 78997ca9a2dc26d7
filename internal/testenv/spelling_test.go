package testenv_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"sceau/internal/testenv"
)

func TestASecretIsFoundHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	secret := []byte{0x1C, 0x58, 0x7F, 0xD3, 0xEA, 0x6B, 0xFF, 0xFE, 0x45, 0xB0}
	texts := map[string]string{
		"plain": "xx" + string(secret) + "yy", "small": "k=" + hex.EncodeToString(secret), "large": strings.ToUpper(hex.EncodeToString(secret)),
		"form": "1C58 7FD3 EA6B FFFE 45B0",
	}
	for _, before := range []string{"", "a", "ab", "abc", "abcd"} {
		for _, after := range []string{"", "z", "zy", "zyx"} {
			whole := []byte(before + string(secret) + after)
			texts["base64 "+before+" "+after] = base64.StdEncoding.EncodeToString(whole)
			texts["base64 for URLs "+before+" "+after] = base64.URLEncoding.EncodeToString(whole)
		}
	}
	for name, text := range texts {
		found := false
		for _, form := range testenv.Spellings(secret) {
			found = found || bytes.Contains([]byte(text), form)
		}
		if !found {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
	for name, form := range testenv.Spellings(secret) {
		if len(form) < len(secret) {
			t.Errorf("%s is %q, which says little", name, form)
		}
	}
}
