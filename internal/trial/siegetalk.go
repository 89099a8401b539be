package trial

var talkAttacks []attack
