//go:build !race

#include "go_asm.h"
#include "textflag.h"

// func publish(c *cell, origin int64, word uint64)
TEXT ·publish(SB), NOSPLIT, $0-24
	MOVQ c+0(FP), AX
	MOVQ origin+8(FP), BX
	MOVQ word+16(FP), CX
	MOVQ BX, cell_origin(AX)
	MOVQ CX, cell_word(AX)
	RET
