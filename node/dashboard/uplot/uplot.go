// Package uplot holds uPlot 1.6.32, the charts of the dashboard and of the reports, as its npm
// package has it. Pages serve or inline the two files, so they need no network. The script makes
// one global, uPlot, and sets styles through the object model alone: a strict content security
// policy lets it.
package uplot

import _ "embed" // the files below

// Script is uPlot as a classic script, minified. CSS is its style sheet. Licence is its licence
// (MIT): whoever passes the files on passes it on too.
var (
	//go:embed uPlot.iife.min.js
	Script []byte
	//go:embed uPlot.min.css
	CSS []byte
	//go:embed LICENSE
	Licence []byte
)
