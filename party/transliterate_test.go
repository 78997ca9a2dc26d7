package party

import (
	"strings"
	"testing"
)

func TestCyrillicNamesAreWrittenAsPassportsDo(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Иванов":           "Ivanov",
		"Щербаков":         "Shcherbakov",
		"Юлия":             "Iuliia",
		"Соловьёв":         "Solovev",
		"Шевченко-Ґонта":   "Shevchenko-Gonta",
		"Йордан":           "Iordan",
		"И\u0306ордан":     "Iordan", // decomposed
		"Ђоковић":          "Dokovic",
		"Amélie":           "Amélie",
		"Dupont-N'Diaye":   "Dupont-N'Diaye",
		"Παπαδόπουλος":     "Παπαδόπουλος", // refused by CheckName
		"Иван <b>":         "Ivan <b>",     // refused by CheckName
		"":                 "",
		"Nguyễn Thị Hương": "Nguyễn Thị Hương",
	} {
		if got := Transliterate(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if long := strings.Repeat("ь", 1000); Transliterate(long) != long {
		t.Error("a text of any length is transliterated")
	}
	for capital, latin := range cyrillic {
		if latin != "" && CheckName("surname", "A"+latin) != nil {
			t.Errorf("%c becomes %q, which is no name", capital, latin)
		}
	}
}
