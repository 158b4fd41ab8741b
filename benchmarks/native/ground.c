#define _GNU_SOURCE
#include "ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/err.h>
#endif

enum { PERIOD = 65521 };
static uint8_t pattern[PERIOD + CHUNK];

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void hurry(void)
{
    setpriority(PRIO_PROCESS, (id_t)gettid(), -10);
}

void pattern_make(void)
{
    uint32_t x = 2463534242u; /* xorshift */
    for (size_t i = 0; i < PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pattern[i] = (uint8_t)(x >> 11);
    }
    for (size_t i = PERIOD; i < sizeof pattern; i++)
        pattern[i] = pattern[i - PERIOD];
}

const uint8_t *pattern_at(uint32_t seed, uint64_t position)
{
    return pattern + (position + seed) % PERIOD;
}

bool pattern_fits(uint32_t seed, uint64_t position, const uint8_t *data, size_t size)
{
    return memcmp(pattern_at(seed, position), data, size) == 0;
}

void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void set_nodelay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int listen_loopback(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        die("cannot listen: %s", strerror(errno));
    *port = ntohs(address.sin_port);
    set_nonblocking(fd);
    return fd;
}

int connect_loopback(int port, int timeout_seconds)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = timeout_seconds};
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    set_nodelay(fd);
    return fd;
}

#ifdef WITH_TLS
static ssize_t tls_result(struct channel *channel, int result)
{
    int why = SSL_get_error(channel->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return CH_AGAIN;
    return why == SSL_ERROR_ZERO_RETURN ? CH_EOF : CH_BROKEN;
}
#endif

ssize_t channel_read(struct channel *channel, void *data, size_t size)
{
#ifdef WITH_TLS
    if (channel->ssl) {
        ERR_clear_error();
        int count = SSL_read(channel->ssl, data, (int)size);
        return count > 0 ? count : tls_result(channel, count);
    }
#endif
    ssize_t count = recv(channel->fd, data, size, 0);
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR ? CH_AGAIN : CH_BROKEN;
}

ssize_t channel_write(struct channel *channel, const void *data, size_t size)
{
#ifdef WITH_TLS
    if (channel->ssl) {
        ERR_clear_error();
        int count = SSL_write(channel->ssl, data, (int)size);
        return count > 0 ? count : tls_result(channel, count);
    }
#endif
    ssize_t count = send(channel->fd, data, size, MSG_NOSIGNAL);
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR ? CH_AGAIN : CH_BROKEN;
}

bool channel_pending(const struct channel *channel)
{
#ifdef WITH_TLS
    if (channel->ssl)
        return SSL_has_pending(channel->ssl) == 1;
#endif
    return channel->fd < 0;
}

void channel_close(struct channel *channel)
{
    if (channel->fd < 0)
        return;
#ifdef WITH_TLS
    if (channel->ssl) {
        if (SSL_is_init_finished(channel->ssl))
            SSL_shutdown(channel->ssl); /* one close_notify, without waiting for the other */
        SSL_free(channel->ssl);
        channel->ssl = NULL;
    }
#endif
    close(channel->fd);
    channel->fd = -1;
}

void channel_reset(struct channel *channel)
{
    struct linger now = {.l_onoff = 1};
    if (channel->fd < 0)
        return;
    setsockopt(channel->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
#ifdef WITH_TLS
    if (channel->ssl) {
        SSL_free(channel->ssl);
        channel->ssl = NULL;
    }
#endif
    close(channel->fd);
    channel->fd = -1;
}

#ifdef WITH_TLS
static SSL_CTX *tls_context(bool server)
{
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!context)
        die("no TLS context");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    /* Several records for each system call: this side must not be the slow one. */
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 128 * 1024);
    return context;
}

SSL_CTX *tls_server(const char *cert_file, const char *key_file)
{
    SSL_CTX *context = tls_context(true);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        die("cannot use %s and %s", cert_file, key_file);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"bench", 5);
    return context;
}

SSL_CTX *tls_client(const char *ca_file)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX *context = tls_context(false);
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
        die("cannot use %s", ca_file);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1);
    return context;
}

void tls_wrap(struct channel *channel, SSL_CTX *context, bool server, const char *host)
{
    channel->ssl = SSL_new(context);
    if (!channel->ssl || SSL_set_fd(channel->ssl, channel->fd) != 1)
        die("no TLS connection");
    if (server) {
        SSL_set_accept_state(channel->ssl);
    } else {
        SSL_set_connect_state(channel->ssl);
        SSL_set_tlsext_host_name(channel->ssl, host);
        SSL_set1_host(channel->ssl, host);
    }
}

int tls_handshake(struct channel *channel)
{
    ERR_clear_error();
    int result = SSL_do_handshake(channel->ssl);
    if (result == 1)
        return 1;
    return tls_result(channel, result) == CH_AGAIN ? CH_AGAIN : CH_BROKEN;
}
#else
SSL_CTX *tls_server(const char *cert_file, const char *key_file)
{
    (void)cert_file, (void)key_file;
    die("built without TLS");
}
SSL_CTX *tls_client(const char *ca_file)
{
    (void)ca_file;
    die("built without TLS");
}
void tls_wrap(struct channel *channel, SSL_CTX *context, bool server, const char *host)
{
    (void)channel, (void)context, (void)server, (void)host;
    die("built without TLS");
}
int tls_handshake(struct channel *channel)
{
    (void)channel;
    return CH_BROKEN;
}
#endif
