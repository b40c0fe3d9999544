// Package counts is the form of the file in which a node keeps what it counted over a restart. It
// knows neither files nor tables: it turns clients into bytes, and bytes into clients.
//
// A file is eight bytes that name it, two of its version, and pages. A page is its length, its
// CRC-32C, and a body. The first page is the [Header], as JSON. The last one is the [Trailer].
// The pages between hold clients, and each can be read by itself: rules and replicas are named by
// numbers of their page. So a reader needs the memory of one page, however large the file is.
//
// The checksum finds damage. It keeps nobody out who can write the file.
//
// Within one version, a reader skips fields of the header that it does not know. Whatever else reads
// differently is another version, and a reader refuses all but its own.
package counts
