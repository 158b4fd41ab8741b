/* What the three programs of the benchmark share: clock, sockets, the pattern, and a byte channel that may be TLS. */
#ifndef BENCH_GROUND_H
#define BENCH_GROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef WITH_TLS
#include <openssl/ssl.h>
#else
typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
#endif

enum { CHUNK = 256 * 1024 };

/* Every stream begins with this; the endpoint answers ACK, and the stream starts when the client sends GO. */
struct __attribute__((packed)) order {
    char magic[4]; /* "TBN1" */
    uint8_t op;    /* see enum op */
    uint8_t pad[3];
    uint32_t seed; /* where in the pattern position 0 lies: streams that are mixed up do not look right */
    uint64_t size; /* bytes in each direction that the op uses */
};
enum op { OP_UP = 'u', OP_DOWN = 'd', OP_BOTH = 'b', OP_ECHO = 'e' };
enum { ACK = 'A', GO = 'g', BANNER = 'B' };

/* The endpoint's last word on a stream: how many bytes came, all of them checked. */
struct __attribute__((packed)) verdict {
    char magic[4]; /* "TBNV" */
    uint64_t received;
};

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
uint64_t now_ns(void);
void raise_descriptors(void);
void hurry(void); /* this thread goes before the bulk of the load, where the system lets it (root) */

/* The pattern: a sequence whose period is prime, so that no lost, doubled or shifted block of a usual size fits it. */
void pattern_make(void);
const uint8_t *pattern_at(uint32_t seed, uint64_t position); /* at least CHUNK bytes are there */
bool pattern_fits(uint32_t seed, uint64_t position, const uint8_t *data, size_t size);

int listen_loopback(int *port);
int connect_loopback(int port, int timeout_seconds);
void set_nonblocking(int fd);
void set_nodelay(int fd);

struct channel {
    int fd;
    SSL *ssl; /* NULL: plain */
};
enum { CH_EOF = 0, CH_AGAIN = -1, CH_BROKEN = -2 };
ssize_t channel_read(struct channel *channel, void *data, size_t size);
ssize_t channel_write(struct channel *channel, const void *data, size_t size);
bool channel_pending(const struct channel *channel); /* bytes that no poll will announce */
void channel_close(struct channel *channel);
void channel_reset(struct channel *channel); /* the peer sees a reset */

SSL_CTX *tls_server(const char *cert_file, const char *key_file);
SSL_CTX *tls_client(const char *ca_file);
void tls_wrap(struct channel *channel, SSL_CTX *context, bool server, const char *host);
int tls_handshake(struct channel *channel); /* 1 done, CH_AGAIN, CH_BROKEN */

#endif
