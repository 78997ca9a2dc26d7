package certprofile

import "slices"

// PolicyArc is the arc of the bank's own policy identifiers. 32473 is the
// enterprise number that IANA keeps for examples (RFC 5612): a bank puts its
// own number here before its first ceremony.
const PolicyArc = "1.3.6.1.4.1.32473.1"

// Policy identifiers of the built-in profiles. A bank whose practice conforms
// proposes profiles that add EN 319 411-1 NCP (0.4.0.2042.1.1) or NCP+
// (0.4.0.2042.1.2); claiming it is the auditor's word, not the code's.
const (
	PolicyAuthentication = PolicyArc + ".1"
	PolicyStaff          = PolicyArc + ".2"
	PolicySignature      = PolicyArc + ".3"
	PolicyService        = PolicyArc + ".4"
)

// Names of the built-in profiles.
const (
	NominativeAuthentication = "nominative-authentication"
	NominativeSignature      = "nominative-signature"
	StaffSignIn              = "staff"
	RelyingServiceClient     = "service-client"
)

// BuiltIns are version 0 of the profiles that the house has by itself. What one
// says is for ever: certificates that were approved by it are drafted by it.
func BuiltIns() []Profile {
	built := func(name string, p Profile, years int, policy string) Profile {
		p.Name, p.Years, p.Policies = name, years, []string{policy}
		p.Hold = p.Kind.Person() // for the RGS is silent, and a holder who only mislaid the key is served
		return p
	}
	return []Profile{
		built(NominativeAuthentication, defaults(PersonAuthentication, LevelOne), MaxYears, PolicyAuthentication),
		built(NominativeSignature, defaults(PersonSignature, LevelOne), MaxYears, PolicySignature),
		built(StaffSignIn, defaults(Staff, LevelNone), 1, PolicyStaff),
		built(RelyingServiceClient, defaults(ServiceClient, LevelNone), 1, PolicyService),
	}
}

// BuiltIn is version 0 of a name, if there is one.
func BuiltIn(name string) (Profile, bool) {
	all := BuiltIns()
	i := slices.IndexFunc(all, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return all[i], true
}
