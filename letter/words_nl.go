package letter

func dutch() words {
	return words{
		dateLabel: "Datum", dateFormat: "%d %s %d",
		months: [12]string{
			"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september",
			"oktober", "november", "december",
		},
		salutation: "Beste",
		regards:    "Met vriendelijke groeten",
		phone:      "Telefoon", website: "Website",
		clientID: "Klantnummer", userNumber: "Gebruikersnummer",
		advice: "Geef uw pincode of een code van uw kaartlezer nooit door. De bank vraagt er nooit naar: niet per telefoon, " +
			"niet per e-mail, niet per sms en niet via chat. Vertrouwt u een oproep of een bericht niet? Antwoord niet " +
			"en bel ons op {phone}.",
		card: cardWords{
			adviceTitle: "Geef uw codes aan niemand",
			subject:     "Uw authenticatiekaart",
			intro: "Dit is uw authenticatiekaart. Met de kaart en de kaartlezer krijgt u toegang tot uw onlineomgeving en ondertekent u " +
				"uw verrichtingen. Uw pincode ontvangt u over enkele dagen in een aparte brief.",
			introBranch: "Uw authenticatiekaart ligt klaar. Met de kaart en de kaartlezer krijgt u toegang tot uw onlineomgeving en " +
				"ondertekent u uw verrichtingen. Uw pincode ontvangt u in een aparte brief.",
			product: "Product", cardNumber: "Kaart", expiry: "Geldig t/m",
			cardHere:      "Uw kaart",
			branchTitle:   "Uw kaart ligt klaar in uw kantoor",
			branch:        "Breng een geldig identiteitsbewijs mee. Wij geven de kaart alleen aan u persoonlijk.",
			activateTitle: "Uw kaart activeren",
			activate: "Wacht tot u uw pincode hebt ontvangen. Meld u aan op {website} met uw klantnummer, uw gebruikersnummer en " +
				"een code van de kaartlezer. Uw kaart is actief zodra de eerste code is aanvaard.",
			readerTitle: "De kaartlezer gebruiken",
			reader: "1. Steek de kaart in de lezer, chip naar u toe.\n2. Druk op de toets CODE.\n3. Toets uw pincode in en bevestig.\n" +
				"4. Neem de 8 cijfers over op de site.",
			blockedTitle: "Na drie foute pincodes",
			blocked:      "Drie foute pincodes blokkeren de kaart. Bel ons op {phone}.",
			lostTitle:    "Kaart verloren of gestolen",
			lost:         "Bel ons meteen op {phone}. Wij blokkeren de kaart en sturen u een nieuwe.",
		},
		pin: pinWords{
			adviceTitle: "Geef deze code aan niemand",
			subject:     "Uw pincode",
			intro:       "Dit is de pincode van uw kaart. De kaart ontvangt u apart.",
			label:       "Uw pincode",
			learnTitle:  "Onthoud deze code en vernietig daarna deze brief",
			learn:       "Schrijf deze code nergens op: niet op de kaart, niet op de kaartlezer en niet in uw telefoon.",
			useTitle:    "Toets deze code alleen in op de kaartlezer",
			use: "Druk op de toets CODE en toets deze code in op de kaartlezer. Zorg dat niemand meekijkt. Vul de code nooit in op een " +
				"website, in een app of in een bericht. Drie foute pincodes blokkeren de kaart.",
			openedTitle: "Was deze brief open of beschadigd?",
			opened:      "Gebruik deze code niet. Bel ons op {phone}: u krijgt dan een nieuwe code.",
		},
	}
}
