package settings_test

import (
	"testing"

	"sceau/settings"
)

// Whatever somebody sends as a value is refused or has one form, which it keeps, and
// which does not loosen itself.
func FuzzParse(f *testing.F) {
	for i, n := range settings.Names() {
		f.Add(i, settings.Canonical(settings.Default(n)))
	}
	f.Add(2, `{"mode":"whitelist","entries":[{"creditor":"`+ics+`","mandate":"M1"},{"country":"BE"}],"mandates":[{"creditor":"`+ics+`","most":500,"per_year":2}]}`)
	f.Add(4, `{"limits":[{"channel":"hub","instant":true,"per_transaction":0},{"per_week":5}]}`)
	f.Add(7, `{"bands":[{"from":5,"signatures":2,"users":["0002","0001"]},{"from":0,"signatures":1}]}`)
	f.Fuzz(func(t *testing.T, number int, text string) {
		n := settings.Names()[uint(number)%uint(len(settings.Names()))]
		v, err := settings.Parse(settings.DefaultBank(), n, []byte(text))
		if err != nil {
			return
		}
		again, err := settings.Read(n, settings.Canonical(v))
		if err != nil || settings.Canonical(again) != settings.Canonical(v) || settings.Loosens(v, again) || settings.Loosens(again, v) {
			t.Fatalf("%s %s: %v", n, settings.Canonical(v), err)
		}
	})
}
