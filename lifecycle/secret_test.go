package lifecycle_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sceau/lifecycle"
)

func pinOf(t testing.TB, digits string) lifecycle.PIN {
	t.Helper()
	pin, err := lifecycle.NewPIN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pin
}

func panOf(t testing.TB, digits string) lifecycle.PAN {
	t.Helper()
	pan, err := lifecycle.NewPAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pan
}

// Long, so that no address that happens to be printed has their digits.
const (
	samplePIN = "482193057164"
	samplePAN = "9250004123456782"
)

// holders are every way in which a secret may hang on a value that somebody
// prints: fmt and slog reach exported fields by their methods, the others by
// reflection.
func holders(pin lifecycle.PIN, pan lifecycle.PAN) map[string]any {
	type exported struct {
		PIN lifecycle.PIN
		PAN lifecycle.PAN
	}
	type hidden struct {
		pin lifecycle.PIN
		pan lifecycle.PAN
	}
	type embedded struct {
		lifecycle.PIN
	}
	type deep struct{ inner *hidden }
	return map[string]any{
		"a PIN":                  pin,
		"a card number":          pan,
		"a pointer to a PIN":     &pin,
		"a pointer to a number":  &pan,
		"exported fields":        exported{pin, pan},
		"unexported fields":      hidden{pin, pan},
		"an embedded PIN":        embedded{pin},
		"a pointer to fields":    &hidden{pin, pan},
		"fields behind a field":  deep{&hidden{pin, pan}},
		"slices":                 []any{[]lifecycle.PIN{pin}, []lifecycle.PAN{pan}, []hidden{{pin, pan}}},
		"a map":                  map[string]hidden{"x": {pin, pan}},
		"an error that wraps it": fmt.Errorf("render %v for %v: %w", pin, pan, lifecycle.Invalid),
		"the zero values":        hidden{},
	}
}

// shows tells whether a text has the PIN, or more of the card number than its
// last four digits.
func shows(text string) bool {
	return strings.Contains(text, samplePIN) || strings.Contains(text, samplePAN[:len(samplePAN)-4])
}

func TestASecretHidesFromEveryVerb(t *testing.T) {
	t.Parallel()
	for name, value := range holders(pinOf(t, samplePIN), panOf(t, samplePAN)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "% x", "%o", "%b", "%U", "%c", "%t", "%e", "%p", "%T"} {
				if got := fmt.Sprintf(verb, value); shows(got) {
					t.Errorf("%s shows %s", verb, got)
				}
			}
			if got := fmt.Sprint(value); shows(got) {
				t.Errorf("Sprint shows %s", got)
			}
		})
	}
}

func TestASecretHidesFromEveryLog(t *testing.T) {
	t.Parallel()
	for name, value := range holders(pinOf(t, samplePIN), panOf(t, samplePAN)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				slog.New(handler).InfoContext(t.Context(), "letter", slog.Any("value", value))
			}
			if got := out.String(); strings.Count(got, "letter") != 2 || shows(got) {
				t.Errorf("logged %s", got)
			}
		})
	}
}

func TestASecretIsNeverSerialised(t *testing.T) {
	t.Parallel()
	pin, pan := pinOf(t, samplePIN), panOf(t, samplePAN)
	type letter struct {
		Secret any `json:"secret" xml:"secret"`
	}
	encoders := map[string]func(any) ([]byte, error){
		"JSON":        json.Marshal,
		"JSON object": func(v any) ([]byte, error) { return json.Marshal(letter{v}) },
		"XML":         func(v any) ([]byte, error) { return xml.Marshal(letter{v}) },
		"gob": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(v)
			return out.Bytes(), err
		},
	}
	for name, encode := range encoders {
		for _, secret := range []any{pin, pan, &pin, &pan} {
			got, err := encode(secret)
			if err == nil || shows(string(got)) || shows(err.Error()) {
				t.Errorf("%s of a %T gave %q, %v; want an error and nothing of it", name, secret, got, err)
			}
		}
	}
}

func TestASecretIsRevealedAndCompared(t *testing.T) {
	t.Parallel()
	if got := pinOf(t, samplePIN).Reveal(); got != samplePIN {
		t.Errorf("the PIN reveals %q", got)
	}
	if pan := panOf(t, samplePAN); pan.Reveal() != samplePAN || pan.Last4() != "6782" || pan.String() != "•••• 6782" {
		t.Errorf("the card number reveals %q, ends in %q and is shown as %q", pan.Reveal(), pan.Last4(), pan)
	}
	if (lifecycle.PIN{}).Reveal() != "" || (lifecycle.PAN{}).Reveal() != "" || (lifecycle.PAN{}).Last4() != "" {
		t.Error("a secret that nobody filled in reveals something")
	}
	same := []struct {
		a, b string
		want bool
	}{{"4821", "4821", true}, {"4821", "4822", false}, {"4821", "48210", false}, {"482100", "482100", true}}
	for _, tt := range same {
		if got := pinOf(t, tt.a).Equal(pinOf(t, tt.b)); got != tt.want {
			t.Errorf("%s equals %s: %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
	if (lifecycle.PIN{}).Equal(pinOf(t, samplePIN)) || !(lifecycle.PIN{}).Equal(lifecycle.PIN{}) {
		t.Error("a PIN that nobody filled in equals another, or not itself")
	}
}

func TestWhatIsNoSecretIsRefusedWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, pin, pan string }{
		{"nothing", "", ""},
		{"too short", "482", "92500041234"},
		{"too long", "4821482148214", "92500041234567820000"},
		{"a letter", "48Z1", "925000412345678Z"},
		{"digits of another script", "٤٨٢١", "٩٢٥٠٠٠٤١٢٣"},
		{"a line feed", "4821\n", "9250004123456782\n"},
		{"a wrong check digit", "-4821", "9250004123456783"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := lifecycle.NewPIN(tt.pin)
			if !errors.Is(err, lifecycle.Invalid) || tt.pin != "" && strings.Contains(err.Error(), tt.pin) {
				t.Errorf("NewPIN = %v, want Invalid without the digits", err)
			}
			if _, err = lifecycle.NewPAN(tt.pan); !errors.Is(err, lifecycle.Invalid) || tt.pan != "" && strings.Contains(err.Error(), tt.pan) {
				t.Errorf("NewPAN = %v, want Invalid without the digits", err)
			}
		})
	}
}

func TestEveryRightNumberIsTakenAndOneWrongDigitNoticed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringMatching(`[0-9]{11,18}`).Draw(t, "body")
		number := body + string(lifecycle.LuhnDigit(body))
		pan, err := lifecycle.NewPAN(number)
		if err != nil || pan.Reveal() != number {
			t.Fatalf("NewPAN(%s) = %v, %v", number, pan, err)
		}
		at := rapid.IntRange(0, len(number)-1).Draw(t, "at")
		wrong := []byte(number)
		wrong[at] = '0' + (wrong[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if _, err := lifecycle.NewPAN(string(wrong)); !errors.Is(err, lifecycle.Invalid) {
			t.Fatalf("NewPAN took %s for %s", wrong, number)
		}
	})
}
