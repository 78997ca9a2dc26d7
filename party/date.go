package party

import (
	"fmt"
	"time"
)

// months are named from January on.
var months = map[Language][12]string{
	French: {
		"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
	},
	Dutch: {
		"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december",
	},
	German: {
		"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
	},
	English: {
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	},
}

// Date is a day as a reader of the language writes it, in the time zone of t.
func (l Language) Date(t time.Time) string {
	y, m, d := t.Date()
	format := "%d %s %d"
	if l == German {
		format = "%d. %s %d"
	}
	return fmt.Sprintf(format, d, months[l][m-1], y)
}
