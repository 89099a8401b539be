package trial

var recordAttacks []attack
