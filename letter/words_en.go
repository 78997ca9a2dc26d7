package letter

func english() words {
	return words{
		dateLabel: "Date", dateFormat: "%d %s %d",
		months: [12]string{
			"January", "February", "March", "April", "May", "June", "July", "August", "September",
			"October", "November", "December",
		},
		salutation: "Dear",
		regards:    "Yours sincerely,",
		phone:      "Telephone", website: "Website",
		clientID: "Client number", userNumber: "User number",
		advice: "Never give anyone your PIN or a code from your card reader. The bank never asks you for them: not by phone, " +
			"not by e-mail, not by SMS and not by chat. Does a call or a message look suspicious? Do not reply: call us " +
			"on {phone}.",
		card: cardWords{
			adviceTitle: "Never tell anyone your codes",
			subject:     "Your authentication card",
			intro: "Here is your authentication card. Together with the card reader, it lets you sign in to your online space and sign " +
				"your operations. Your PIN will reach you in a few days, in a separate letter.",
			introBranch: "Your authentication card is ready. Together with the card reader, it lets you sign in to your online space and " +
				"sign your operations. Your PIN will reach you in a separate letter.",
			product: "Product", cardNumber: "Card", expiry: "Valid to end",
			cardHere:      "Your card",
			branchTitle:   "Your card is waiting at your branch",
			branch:        "Please bring a valid identity document. We hand the card to you in person only.",
			activateTitle: "Activate your card",
			activate: "Wait until you have received your PIN. Sign in on {website} with your client number, your user number and a code " +
				"from the reader. Your card is active as soon as the first code is accepted.",
			readerTitle: "Use the reader",
			reader: "1. Insert the card, chip facing you.\n2. Press the CODE key.\n3. Type your PIN and confirm.\n" +
				"4. Copy the 8 digits to the site.",
			blockedTitle: "After three wrong PINs",
			blocked:      "Three wrong PINs block the card. Call us on {phone}.",
			lostTitle:    "Card lost or stolen",
			lost:         "Call us at once on {phone}. We block the card and send you a new one.",
		},
		pin: pinWords{
			adviceTitle: "Never tell anyone this PIN",
			subject:     "Your PIN",
			intro:       "Here is the PIN of your card. You receive the card separately.",
			label:       "Your PIN",
			learnTitle:  "Remember this PIN, then destroy this letter",
			learn:       "Do not write this PIN down anywhere: not on the card, not on the reader and not in your phone.",
			useTitle:    "Type this PIN on the card reader only",
			use: "Press the CODE key, then type this PIN on the reader. Make sure that nobody is watching. Never type it on a website, " +
				"in an app or in a message. Three wrong PINs block the card.",
			openedTitle: "Was this letter open or damaged?",
			opened:      "Do not use this PIN. Call us on {phone}: we will send you a new one.",
		},
	}
}
