package wire

// Each record stamps its own type, so that no caller can get it wrong.

func (r *Event) stamp()      { r.Type = TypeEvent }
func (r *Ack) stamp()        { r.Type = TypeAck }
func (r *Refused) stamp()    { r.Type = TypeRefused }
func (r *Nack) stamp()       { r.Type = TypeNack }
func (r *Open) stamp()       { r.Type = TypeOpen }
func (r *Closed) stamp()     { r.Type = TypeClosed }
func (r *Named) stamp()      { r.Type = TypeNamed }
func (r *Pub) stamp()        { r.Type = TypePub }
func (r *Join) stamp()       { r.Type = TypeJoin }
func (r *Part) stamp()       { r.Type = TypePart }
func (r *Nick) stamp()       { r.Type = TypeNick }
func (r *Challenge) stamp()  { r.Type = TypeChallenge }
func (r *Hello) stamp()      { r.Type = TypeHello }
func (r *Welcome) stamp()    { r.Type = TypeWelcome }
func (r *Bye) stamp()        { r.Type = TypeBye }
func (r *Notice) stamp()     { r.Type = TypeNotice }
func (r *Presence) stamp()   { r.Type = TypePresence }
func (r *Watch) stamp()      { r.Type = TypeWatch }
func (r *Failed) stamp()     { r.Type = TypeFailed }
func (r *Names) stamp()      { r.Type = TypeNames }
func (r *NamesAre) stamp()   { r.Type = TypeNamesAre }
func (r *Whois) stamp()      { r.Type = TypeWhois }
func (r *WhoisIs) stamp()    { r.Type = TypeWhoisIs }
func (r *List) stamp()       { r.Type = TypeList }
func (r *ListIs) stamp()     { r.Type = TypeListIs }
func (r *Authors) stamp()    { r.Type = TypeAuthors }
func (r *AuthorsAre) stamp() { r.Type = TypeAuthorsAre }
func (r *History) stamp()    { r.Type = TypeHistory }
func (r *HistoryIs) stamp()  { r.Type = TypeHistoryIs }
func (r *Search) stamp()     { r.Type = TypeSearch }
func (r *SearchIs) stamp()   { r.Type = TypeSearchIs }
func (r *Keep) stamp()       { r.Type = TypeKeep }
func (r *KeepIs) stamp()     { r.Type = TypeKeepIs }
func (r *Invite) stamp()     { r.Type = TypeInvite }
func (r *InviteIs) stamp()   { r.Type = TypeInviteIs }
func (r *Release) stamp()    { r.Type = TypeRelease }
func (r *ReleaseIs) stamp()  { r.Type = TypeReleaseIs }
func (r *Away) stamp()       { r.Type = TypeAway }
func (r *AwayIs) stamp()     { r.Type = TypeAwayIs }
func (r *TermsAre) stamp()   { r.Type = TypeTerms }
func (r *Banned) stamp()     { r.Type = TypeBanned }
func (r *BannedAre) stamp()  { r.Type = TypeBannedAre }
func (r *Peer) stamp()       { r.Type = TypePeer }
func (r *Digests) stamp()    { r.Type = TypeDigests }
func (r *Heads) stamp()      { r.Type = TypeHeads }
func (r *Want) stamp()       { r.Type = TypeWant }
func (r *Entries) stamp()    { r.Type = TypeEntries }
func (r *Have) stamp()       { r.Type = TypeHave }
func (r *Lazy) stamp()       { r.Type = TypeLazy }
func (r *Fork) stamp()       { r.Type = TypeFork }
func (r *Addresses) stamp()  { r.Type = TypeAddresses }
func (r *PeerPeople) stamp() { r.Type = TypePeerPeople }
func (r *Trimmed) stamp()    { r.Type = TypeTrimmed }
func (r *Mark) stamp()       { r.Type = TypeMark }
func (r *Causal) stamp()     { r.Type = TypeCausal }
func (r *CausalIs) stamp()   { r.Type = TypeCausalIs }
func (r *Peers) stamp()      { r.Type = TypePeers }
func (r *PeersAre) stamp()   { r.Type = TypePeersAre }
func (r *Admit) stamp()      { r.Type = TypeAdmit }
func (r *AdmitIs) stamp()    { r.Type = TypeAdmitIs }
func (r *Stats) stamp()      { r.Type = TypeStats }
func (r *StatsAre) stamp()   { r.Type = TypeStatsAre }
func (r *Nodes) stamp()      { r.Type = TypeNodes }

// makers makes an empty record for each type that this package knows.
var makers = map[uint8]func() Record{
	TypeEvent: func() Record { return new(Event) }, TypeAck: func() Record { return new(Ack) },
	TypeRefused: func() Record { return new(Refused) }, TypeNack: func() Record { return new(Nack) },
	TypeOpen: func() Record { return new(Open) }, TypeClosed: func() Record { return new(Closed) },
	TypeNamed: func() Record { return new(Named) }, TypePub: func() Record { return new(Pub) },
	TypeJoin: func() Record { return new(Join) }, TypePart: func() Record { return new(Part) },
	TypeNick: func() Record { return new(Nick) }, TypeChallenge: func() Record { return new(Challenge) },
	TypeHello: func() Record { return new(Hello) }, TypeWelcome: func() Record { return new(Welcome) },
	TypeBye: func() Record { return new(Bye) }, TypeNotice: func() Record { return new(Notice) },
	TypePresence: func() Record { return new(Presence) }, TypeWatch: func() Record { return new(Watch) },
	TypeFailed: func() Record { return new(Failed) }, TypeNames: func() Record { return new(Names) },
	TypeNamesAre: func() Record { return new(NamesAre) }, TypeWhois: func() Record { return new(Whois) },
	TypeWhoisIs: func() Record { return new(WhoisIs) }, TypeList: func() Record { return new(List) },
	TypeListIs: func() Record { return new(ListIs) }, TypeAuthors: func() Record { return new(Authors) },
	TypeAuthorsAre: func() Record { return new(AuthorsAre) }, TypeHistory: func() Record { return new(History) },
	TypeHistoryIs: func() Record { return new(HistoryIs) }, TypeSearch: func() Record { return new(Search) },
	TypeSearchIs: func() Record { return new(SearchIs) }, TypeKeep: func() Record { return new(Keep) },
	TypeKeepIs: func() Record { return new(KeepIs) }, TypeInvite: func() Record { return new(Invite) },
	TypeInviteIs: func() Record { return new(InviteIs) }, TypeRelease: func() Record { return new(Release) },
	TypeReleaseIs: func() Record { return new(ReleaseIs) }, TypeAway: func() Record { return new(Away) },
	TypeAwayIs: func() Record { return new(AwayIs) }, TypeTerms: func() Record { return new(TermsAre) },
	TypeBanned: func() Record { return new(Banned) }, TypeBannedAre: func() Record { return new(BannedAre) },
	TypePeer:       func() Record { return new(Peer) },
	TypeDigests:    func() Record { return new(Digests) },
	TypeHeads:      func() Record { return new(Heads) },
	TypeWant:       func() Record { return new(Want) },
	TypeEntries:    func() Record { return new(Entries) },
	TypeHave:       func() Record { return new(Have) },
	TypeLazy:       func() Record { return new(Lazy) },
	TypeFork:       func() Record { return new(Fork) },
	TypeAddresses:  func() Record { return new(Addresses) },
	TypePeerPeople: func() Record { return new(PeerPeople) },
	TypeTrimmed:    func() Record { return new(Trimmed) },
	TypeMark:       func() Record { return new(Mark) },
	TypeCausal:     func() Record { return new(Causal) },
	TypeCausalIs:   func() Record { return new(CausalIs) },
	TypePeers:      func() Record { return new(Peers) },
	TypePeersAre:   func() Record { return new(PeersAre) },
	TypeAdmit:      func() Record { return new(Admit) },
	TypeAdmitIs:    func() Record { return new(AdmitIs) },
	TypeStats:      func() Record { return new(Stats) },
	TypeStatsAre:   func() Record { return new(StatsAre) },
	TypeNodes:      func() Record { return new(Nodes) },
}
