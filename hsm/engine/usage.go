package engine

import (
	"slices"
	"strings"
)

// Usages of keys. The engine uses a key for its usage and nothing else.
const (
	usageIMKAC     = "imk-ac"
	usageIMKSMI    = "imk-smi"
	usageIMKSMC    = "imk-smc"
	usageTransport = "transport"
	usageKBPK      = "kbpk"
	usagePIN       = "pin"
	usagePVV       = "pvk-visa"
	usageIBM       = "pvk-ibm"
)

// Algorithms of keys.
const (
	algorithmTDES2  = "tdes2"
	algorithmTDES3  = "tdes3"
	algorithmAES128 = "aes128"
	algorithmAES192 = "aes192"
	algorithmAES256 = "aes256"
)

// Modes of use, as TR-31 writes them (ANSI X9.143 §6.3.4): a key has one.
const (
	modeBoth      = 'B' // enciphers and deciphers
	modeEncipher  = 'E'
	modeDecipher  = 'D'
	modeDerive    = 'X'
	modeCalculate = 'C' // makes and checks
	modeGenerate  = 'G'
	modeVerify    = 'V'
)

// What one call asks of a key's mode.
const (
	toEncipher = modeEncipher
	toDecipher = modeDecipher
	toDerive   = modeDerive
	toGenerate = modeGenerate
	toVerify   = modeVerify
)

// usage is what a key may be for: its TR-31 usage, the algorithms and modes that
// it may have, and whether it may leave. The first of each is what a new key
// gets when nothing is said.
type usage struct {
	name       string
	code       string // TR-31 key usage (X9.143 §6.3.2)
	algorithms []string
	modes      string
	export     string // E: to anybody who shares the protection key, N: never
}

// usages are all of them. A card's master keys are TDES, as its chip is.
func usages() []usage {
	tdes := []string{algorithmTDES2}
	anyBlock := []string{algorithmTDES2, algorithmTDES3, algorithmAES128, algorithmAES192, algorithmAES256}
	return []usage{
		{usageIMKAC, "E0", tdes, "X", "NE"},
		{usageIMKSMC, "E1", tdes, "X", "NE"},
		{usageIMKSMI, "E2", tdes, "X", "NE"},
		{"imk-dn", "E4", tdes, "X", "NE"},
		{"imk-perso", "E5", tdes, "X", "NE"},
		{usagePIN, "P0", anyBlock, "BED", "EN"},
		{usageTransport, "K0", tdes, "BED", "EN"},
		{usageKBPK, "K1", []string{algorithmAES256, algorithmTDES2, algorithmTDES3, algorithmAES128, algorithmAES192}, "BED", "EN"},
		{usageIBM, "V1", tdes, "CGV", "EN"},
		{usagePVV, "V2", tdes, "CGV", "EN"},
		{"cvk", "C0", tdes, "CGV", "EN"},
		{"bdk", "B0", tdes, "X", "EN"},
	}
}

func usageNamed(name string) (usage, bool) {
	for _, u := range usages() {
		if u.name == name {
			return u, true
		}
	}
	return usage{}, false
}

// usageCoded finds the usage of a key block.
func usageCoded(code string) (usage, bool) {
	for _, u := range usages() {
		if u.code == code {
			return u, true
		}
	}
	return usage{}, false
}

func usageNames() string {
	var names []string
	for _, u := range usages() {
		names = append(names, u.name)
	}
	return strings.Join(names, ", ")
}

// fill completes a key's description with the usage's defaults and checks it.
func (k *storedKey) fill() error {
	u, ok := usageNamed(k.Usage)
	if !ok {
		return refuse("invalid", "usage is one of %s", usageNames())
	}
	if k.Algorithm == "" {
		k.Algorithm = u.algorithms[0]
	}
	if k.Mode == "" {
		k.Mode = u.modes[:1]
	}
	if k.Export == "" {
		k.Export = u.export[:1]
	}
	switch {
	case !slices.Contains(u.algorithms, k.Algorithm):
		return refuse("invalid", "the algorithm of usage %s is %s", k.Usage, strings.Join(u.algorithms, " or "))
	case len(k.Mode) != 1 || !strings.Contains(u.modes, k.Mode):
		return refuse("invalid", "the mode of usage %s is one of %s", k.Usage, u.modes)
	case len(k.Export) != 1 || !strings.Contains(u.export, k.Export):
		return refuse("invalid", "exportability is N or E")
	case k.Environment != environmentTest && k.Environment != environmentLive:
		return refuse("invalid", "environment is test or live")
	}
	return nil
}

// allows tells whether a key of this mode may be asked for that.
func (k *storedKey) allows(need byte) bool {
	switch k.Mode[0] {
	case modeBoth:
		return need == toEncipher || need == toDecipher
	case modeCalculate:
		return need == modeGenerate || need == modeVerify
	}
	return k.Mode[0] == need
}

// size is an algorithm's key length in bytes, 0 for one that is none.
func size(algorithm string) int {
	return map[string]int{
		algorithmTDES2: 16, algorithmTDES3: 24, algorithmAES128: 16, algorithmAES192: 24, algorithmAES256: 32,
	}[algorithm]
}

func isAES(algorithm string) bool { return strings.HasPrefix(algorithm, "aes") }

// strength is an algorithm's effective strength in bits (NIST SP 800-57 part 1
// §5.6.1.1): a key is never wrapped under a weaker one.
func strength(algorithm string) int {
	return map[string]int{
		algorithmTDES2: 80, algorithmTDES3: 112, algorithmAES128: 128, algorithmAES192: 192, algorithmAES256: 256,
	}[algorithm]
}
