package letter

func german() words {
	return words{
		dateLabel: "Datum", dateFormat: "%d. %s %d",
		months: [12]string{
			"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
			"Oktober", "November", "Dezember",
		},
		salutation: "Guten Tag",
		regards:    "Mit freundlichen Grüßen",
		phone:      "Telefon", website: "Website",
		clientID: "Kundennummer", userNumber: "Benutzernummer",
		advice: "Geben Sie Ihre Geheimzahl oder einen Code Ihres Kartenlesers nie weiter. Die Bank fragt Sie nie danach: nicht am " +
			"Telefon, nicht per E-Mail, nicht per SMS und nicht im Chat. Ein Anruf oder eine Nachricht kommt Ihnen verdächtig " +
			"vor? Antworten Sie nicht, rufen Sie uns an: {phone}.",
		card: cardWords{
			adviceTitle: "Geben Sie Ihre Codes niemandem",
			subject:     "Ihre Authentifizierungskarte",
			intro: "Dies ist Ihre Authentifizierungskarte. Mit der Karte und dem Kartenleser melden Sie sich in Ihrem Online-Bereich an " +
				"und unterschreiben Ihre Aufträge. Ihre Geheimzahl (PIN) erhalten Sie in einigen Tagen mit einem eigenen Brief.",
			introBranch: "Ihre Authentifizierungskarte liegt bereit. Mit der Karte und dem Kartenleser melden Sie sich in Ihrem " +
				"Online-Bereich an und unterschreiben Ihre Aufträge. Ihre Geheimzahl (PIN) erhalten Sie mit einem eigenen Brief.",
			product: "Produkt", cardNumber: "Karte", expiry: "Gültig bis Ende",
			cardHere:      "Ihre Karte",
			branchTitle:   "Ihre Karte liegt in Ihrer Filiale bereit",
			branch:        "Bringen Sie einen gültigen Ausweis mit. Wir geben die Karte nur Ihnen persönlich.",
			activateTitle: "Karte aktivieren",
			activate: "Warten Sie, bis Sie Ihre Geheimzahl erhalten haben. Melden Sie sich auf {website} an: mit Kundennummer, " +
				"Benutzernummer und einem Code des Kartenlesers. Ihre Karte ist aktiv, sobald der erste Code angenommen ist.",
			readerTitle: "Kartenleser benutzen",
			reader: "1. Karte einstecken, Chip zu Ihnen.\n2. Taste CODE drücken.\n3. Geheimzahl eingeben und bestätigen.\n" +
				"4. Die 8 Ziffern auf der Website eingeben.",
			blockedTitle: "Nach drei falschen Geheimzahlen",
			blocked:      "Drei falsche Geheimzahlen sperren die Karte. Rufen Sie uns an: {phone}.",
			lostTitle:    "Karte verloren oder gestohlen",
			lost:         "Rufen Sie uns sofort an: {phone}. Wir sperren sie und senden Ihnen eine neue.",
		},
		pin: pinWords{
			adviceTitle: "Geben Sie diese Geheimzahl niemandem",
			subject:     "Ihre Geheimzahl (PIN)",
			intro:       "Dies ist die Geheimzahl Ihrer Karte. Die Karte erhalten Sie getrennt.",
			label:       "Ihre Geheimzahl (PIN)",
			learnTitle:  "Merken Sie sich die Geheimzahl und vernichten Sie diesen Brief",
			learn:       "Schreiben Sie die Geheimzahl nirgends auf: nicht auf die Karte, nicht auf den Kartenleser, nicht ins Telefon.",
			useTitle:    "Geben Sie die Geheimzahl nur am Kartenleser ein",
			use: "Drücken Sie die Taste CODE und geben Sie die Geheimzahl am Kartenleser ein. Achten Sie darauf, dass niemand zusieht. " +
				"Geben Sie sie nie auf einer Website, in einer App oder in einer Nachricht ein. Drei falsche Geheimzahlen sperren die Karte.",
			openedTitle: "War dieser Brief offen oder beschädigt?",
			opened:      "Benutzen Sie diese Geheimzahl nicht. Rufen Sie uns an: {phone}. Sie erhalten dann eine neue.",
		},
	}
}
