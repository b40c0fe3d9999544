package counts

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Version is the version of the form that this package writes, and the only one that it reads.
const Version = 1

// magic begins every file.
const magic = "DRLCOUNT"

const (
	// mostPage is the largest body of a page, in bytes. Raising it lets a bad file take more
	// memory. Lowering it leaves out clients that very many nodes counted.
	mostPage = 1 << 20
	// fullPage is from how many bytes on a page takes no more clients. Raising it takes longer
	// holds of a shard's lock for a page; lowering it repeats the names of rules more often.
	fullPage = 48 << 10
	// mostHeader is the largest header, in bytes: all spans that a node keeps, and room to spare.
	// Raising it lets a bad file take more memory; lowering it saves nothing after many faults.
	mostHeader = 256 << 10
)

// Why a file cannot be used.
var (
	ErrEmpty   = errors.New("it is empty")
	ErrForeign = errors.New("it is no file of counts")
	ErrDamaged = errors.New("it was changed, damaged or cut off since it was saved")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header says what a file is of.
type Header struct {
	Cluster string       `json:"cluster"`
	Node    string       `json:"node"`
	Key     uint64       `json:"key"` // tells cluster keys apart: clients are named by keyed hashes
	Replica crdt.Replica `json:"replica"`
	At      int64        `json:"at"` // when the walk over the clients began, by the node's clock
	// Whole says that the node took nothing any more after At.
	Whole bool `json:"whole"`
	// Founded is how long ago began what the node knows of, and Before, if not 0, how long ago
	// something ran of which it knows nothing. In nanoseconds, at At.
	Founded int64  `json:"founded"`
	Before  int64  `json:"before"`
	Missing []Span `json:"missing"`
}

// Span is a stretch in which an incarnation may have admitted what the file does not hold: two ages
// at the header's At, in nanoseconds. Ended is 0 if it went on.
type Span struct {
	Of    crdt.Replica `json:"of"`
	Began int64        `json:"began"`
	Ended int64        `json:"ended"`
	Kind  uint8        `json:"kind"`
}

// Trailer ends a file.
type Trailer struct {
	Clients uint64 // in the file
	Left    uint64 // held by the node, and too large for a page
}

// The first byte of a page's body.
const (
	pageHeader = iota + 1
	pageClients
	pageTrailer
)

// Writer writes a file. Make one with NewWriter. Not safe for concurrent use.
type Writer struct {
	to io.Writer
	// Size is the bytes written so far.
	Size    int64
	frame   [8]byte
	trailer Trailer
}

// NewWriter begins a file.
func NewWriter(to io.Writer, h *Header) (*Writer, error) {
	w := &Writer{to: to}
	start := binary.LittleEndian.AppendUint16([]byte(magic), Version)
	if err := w.write(start); err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) >= mostHeader {
		return nil, fmt.Errorf("a header of %d bytes, and at most %d can be read", len(text), mostHeader)
	}
	err = w.page(append([]byte{pageHeader}, text...))
	return w, err
}

func (w *Writer) write(b []byte) error {
	n, err := w.to.Write(b)
	w.Size += int64(n)
	return err
}

// page writes one page.
func (w *Writer) page(body []byte) error {
	binary.LittleEndian.PutUint32(w.frame[:4], uint32(len(body))) //nolint:gosec // at most mostPage
	binary.LittleEndian.PutUint32(w.frame[4:], crc32.Checksum(body, castagnoli))
	if err := w.write(w.frame[:]); err != nil {
		return err
	}
	return w.write(body)
}

// Clients writes a page of clients, and empties it. It does nothing if the page has none.
func (w *Writer) Clients(p *Page) error {
	w.trailer.Left += p.left
	w.trailer.Clients += p.clients
	var err error
	if p.clients > 0 {
		err = w.page(p.body)
	}
	p.Reset()
	return err
}

// Close ends the file, and returns its trailer. It does not close what it writes to.
func (w *Writer) Close() (Trailer, error) {
	body := binary.AppendUvarint([]byte{pageTrailer}, w.trailer.Clients)
	return w.trailer, w.page(binary.AppendUvarint(body, w.trailer.Left))
}

// Reader reads a file. Make one with NewReader. Not safe for concurrent use.
type Reader struct {
	from    *bufio.Reader
	frame   [8]byte
	body    []byte
	trailer *Trailer
	seen    uint64
}

// NewReader reads a file's header. The error says why this is no file of this version.
func NewReader(from io.Reader) (*Reader, *Header, error) {
	r := &Reader{from: bufio.NewReaderSize(from, 64<<10)}
	var start [len(magic) + 2]byte
	switch n, err := io.ReadFull(r.from, start[:]); {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, nil, err
	case n == 0:
		return nil, nil, ErrEmpty
	case n < len(start), string(start[:len(magic)]) != magic:
		return nil, nil, ErrForeign
	}
	switch v := binary.LittleEndian.Uint16(start[len(magic):]); {
	case v < Version:
		return nil, nil, fmt.Errorf("an older ratelimitd wrote it: it is of version %d, and this one reads version %d", v, Version)
	case v > Version:
		return nil, nil, fmt.Errorf("a newer ratelimitd wrote it: it is of version %d, and this one reads version %d", v, Version)
	}
	body, err := r.page(mostHeader)
	if err != nil {
		return nil, nil, err
	}
	h := &Header{}
	if body[0] != pageHeader || json.Unmarshal(body[1:], h) != nil {
		return nil, nil, ErrDamaged
	}
	return r, h, nil
}

// page reads the next page's body, which is not empty. It is valid until the next call. A claimed
// length takes no memory before as many bytes have come, but for the first ones.
func (r *Reader) page(most uint32) ([]byte, error) {
	if err := r.fill(r.frame[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(r.frame[:4])
	if n == 0 || n > most {
		return nil, ErrDamaged
	}
	r.body = r.body[:0]
	for n > 0 {
		from, step := len(r.body), min(n, fullPage)
		r.body = append(r.body, make([]byte, step)...)
		if err := r.fill(r.body[from:]); err != nil {
			return nil, err
		}
		n -= step
	}
	if crc32.Checksum(r.body, castagnoli) != binary.LittleEndian.Uint32(r.frame[4:]) {
		return nil, ErrDamaged
	}
	return r.body, nil
}

func (r *Reader) fill(b []byte) error {
	_, err := io.ReadFull(r.from, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return err
}

// Next reads the next page of clients into p, once all clients of the page before were read. It is
// false after the last one, and then the file is whole. p is valid until the next call.
func (r *Reader) Next(p *Page) (more bool, err error) {
	if r.trailer != nil {
		return false, nil
	}
	if r.seen += p.clients; !p.whole() {
		return false, ErrDamaged
	}
	p.Reset()
	body, err := r.page(mostPage)
	if err != nil {
		return false, err
	}
	switch body[0] {
	case pageClients:
		p.read(body)
		return true, nil
	case pageTrailer:
		t := cursor{b: body[1:]}
		trailer := Trailer{Clients: t.uint(), Left: t.uint()}
		if t.bad || len(t.b) > 0 || trailer.Clients != r.seen {
			return false, ErrDamaged
		}
		if _, err := r.from.ReadByte(); err == nil {
			return false, ErrDamaged
		} else if !errors.Is(err, io.EOF) {
			return false, err
		}
		r.trailer = &trailer
		return false, nil
	}
	return false, ErrDamaged
}

// Trailer is the file's, once Next has said that there is no more.
func (r *Reader) Trailer() Trailer { return *r.trailer }
