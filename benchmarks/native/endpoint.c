/* The service behind the tunnel: endpoint [CERT KEY]
 *
 * Prints one line of JSON with its ports: "plain" takes an order (ground.h), "banner" speaks first and then the same,
 * "connect" is a TLS proxy that answers one CONNECT and is then "plain" (or "banner" when the authority begins so),
 * "tls" is "plain" under TLS. The last two are 0 without a certificate. It ends when standard input ends.
 * Content that does not fit is told on standard error, and the connection is reset.
 *
 * Pings are answered by a thread of its own: a byte must not wait here while megabytes are moved.
 */
#define _GNU_SOURCE
#include "ground.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { PLAIN, BANNERED, CONNECT, TLS, KINDS };
enum state { HANDSHAKE, HEAD, ORDER, WAIT_GO, RUN, ECHO };
enum { ROUNDS = 4, HEAD_LIMIT = 4096 };

struct conn {
    struct channel channel; /* first: epoll hands back the conn */
    enum kind kind;
    enum state state;
    bool writing; /* EPOLLOUT is asked for */
    bool echoes;  /* it belongs to the other thread */
    struct order order;
    uint64_t sent, received;
    size_t filled;       /* bytes in head */
    size_t out, out_end; /* what waits in small */
    bool verdict_made;
    char *head;
    uint8_t small[HEAD_LIMIT];
};

struct listener {
    int fd;
    enum kind kind;
};

static int main_poller, echo_poller;
static SSL_CTX *context;
static struct listener listeners[KINDS];
static _Thread_local uint8_t scratch[CHUNK];

static int poller_of(const struct conn *conn)
{
    return conn->echoes ? echo_poller : main_poller;
}

static void watch(struct conn *conn, bool writing)
{
    if (conn->writing == writing)
        return;
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.ptr = conn};
    conn->writing = writing;
    epoll_ctl(poller_of(conn), EPOLL_CTL_MOD, conn->channel.fd, &event);
}

static void finish(struct conn *conn, bool reset)
{
    (reset ? channel_reset : channel_close)(&conn->channel);
    free(conn->head);
    free(conn);
}

static void say(struct conn *conn, const void *data, size_t size)
{
    if (conn->out == conn->out_end)
        conn->out = conn->out_end = 0;
    if (conn->out_end + size > sizeof conn->small)
        die("too much to say");
    memcpy(conn->small + conn->out_end, data, size);
    conn->out_end += size;
}

/* 1: all is out; CH_AGAIN; CH_BROKEN */
static int flush_small(struct conn *conn)
{
    while (conn->out < conn->out_end) {
        ssize_t count = channel_write(&conn->channel, conn->small + conn->out, conn->out_end - conn->out);
        if (count <= 0)
            return count == CH_AGAIN ? CH_AGAIN : CH_BROKEN;
        conn->out += (size_t)count;
    }
    return 1;
}

static bool sends(const struct conn *conn)
{
    return conn->order.op == OP_DOWN || conn->order.op == OP_BOTH;
}

static bool receives(const struct conn *conn)
{
    return conn->order.op == OP_UP || conn->order.op == OP_BOTH;
}

/* Bytes of the stream proper; false when they are wrong. */
static bool take_stream(struct conn *conn, const uint8_t *data, size_t size)
{
    if (!receives(conn) || conn->received + size > conn->order.size ||
        !pattern_fits(conn->order.seed, conn->received, data, size)) {
        fprintf(stderr, "content differs near byte %llu of stream %u\n", (unsigned long long)conn->received,
                conn->order.seed);
        return false;
    }
    conn->received += size;
    return true;
}

/* What came, whatever the state; false when the connection must be reset. */
static bool take(struct conn *conn, const uint8_t *data, size_t size)
{
    while (size) {
        if (conn->state == HEAD) {
            if (conn->filled == HEAD_LIMIT - 1)
                return false;
            conn->head[conn->filled++] = (char)*data++;
            size--;
            conn->head[conn->filled] = 0;
            if (conn->filled < 4 || memcmp(conn->head + conn->filled - 4, "\r\n\r\n", 4) != 0)
                continue;
            static const char answer[] = "HTTP/1.1 200 OK\r\nHalf-Close: ?1\r\n\r\n";
            if (strncmp(conn->head, "CONNECT ", 8) != 0)
                return false;
            say(conn, answer, sizeof answer - 1);
            if (strncmp(conn->head + 8, "banner", 6) == 0)
                say(conn, (char[]){BANNER}, 1);
            free(conn->head);
            conn->head = NULL;
            conn->filled = 0;
            conn->state = ORDER;
        } else if (conn->state == ORDER) {
            ((uint8_t *)&conn->order)[conn->filled++] = *data++;
            size--;
            if (conn->filled < sizeof conn->order)
                continue;
            if (memcmp(conn->order.magic, "TBN1", 4) != 0) {
                fprintf(stderr, "an order is damaged\n");
                return false;
            }
            say(conn, (char[]){ACK}, 1);
            conn->state = conn->order.op == OP_ECHO ? ECHO : WAIT_GO;
        } else if (conn->state == WAIT_GO) {
            if (*data++ != GO)
                return false;
            size--;
            conn->state = RUN;
        } else if (conn->state == ECHO) {
            /* Pings are one byte each: what does not fit is a fault of the client. */
            if (conn->out == conn->out_end)
                conn->out = conn->out_end = 0;
            if (conn->out_end + size > sizeof conn->small)
                return false;
            say(conn, data, size);
            return true;
        } else {
            return take_stream(conn, data, size);
        }
    }
    return true;
}

/* 1: nothing left to write now; CH_AGAIN; CH_BROKEN */
static int put(struct conn *conn)
{
    int result = flush_small(conn);
    if (result != 1 || conn->state != RUN)
        return result;
    for (int round = 0; sends(conn) && conn->sent < conn->order.size; round++) {
        if (round == ROUNDS)
            return CH_AGAIN; /* others are waiting; the socket is still writable and will be announced */
        uint64_t rest = conn->order.size - conn->sent;
        size_t size = rest < CHUNK ? (size_t)rest : CHUNK;
        ssize_t count = channel_write(&conn->channel, pattern_at(conn->order.seed, conn->sent), size);
        if (count <= 0)
            return count == CH_AGAIN ? CH_AGAIN : CH_BROKEN;
        conn->sent += (uint64_t)count;
    }
    if (!conn->verdict_made && (!receives(conn) || conn->received == conn->order.size)) {
        struct verdict verdict = {.magic = {'T', 'B', 'N', 'V'}, .received = conn->received};
        say(conn, &verdict, sizeof verdict);
        conn->verdict_made = true;
        return flush_small(conn);
    }
    return 1;
}

static void serve(struct conn *conn)
{
    if (conn->state == HANDSHAKE) {
        int done = tls_handshake(&conn->channel);
        if (done == CH_BROKEN)
            return finish(conn, false);
        if (done == CH_AGAIN)
            return; /* the server's flights are small: they never fill the socket */
        conn->state = conn->kind == CONNECT ? HEAD : ORDER;
    }
    for (int round = 0; round < ROUNDS || channel_pending(&conn->channel); round++) {
        ssize_t count = channel_read(&conn->channel, scratch, sizeof scratch);
        if (count == CH_AGAIN)
            break;
        if (count == CH_EOF || count == CH_BROKEN)
            return finish(conn, false);
        if (!take(conn, scratch, (size_t)count))
            return finish(conn, true);
    }
    int result = put(conn);
    if (result == CH_BROKEN)
        return finish(conn, false);
    if (conn->state == ECHO && !conn->echoes) {
        /* From here on the other thread alone may touch it. */
        struct epoll_event event = {.events = EPOLLIN | (result == CH_AGAIN ? EPOLLOUT : 0u), .data.ptr = conn};
        epoll_ctl(main_poller, EPOLL_CTL_DEL, conn->channel.fd, NULL);
        conn->echoes = true;
        conn->writing = result == CH_AGAIN;
        epoll_ctl(echo_poller, EPOLL_CTL_ADD, conn->channel.fd, &event);
        return;
    }
    watch(conn, result == CH_AGAIN);
}

static void *echo(void *argument)
{
    struct epoll_event events[64];
    hurry();
    for (;;) {
        int ready = epoll_wait(echo_poller, events, 64, -1);
        for (int i = 0; i < ready; i++)
            serve(events[i].data.ptr);
    }
    return argument;
}

static void welcome(const struct listener *listener)
{
    enum kind kind = listener->kind;
    for (int round = 0; round < 64; round++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct conn *conn = calloc(1, sizeof *conn);
        set_nodelay(fd);
        conn->channel.fd = fd;
        conn->kind = kind;
        conn->state = ORDER;
        if (kind == CONNECT || kind == TLS) {
            tls_wrap(&conn->channel, context, true, NULL);
            conn->state = HANDSHAKE;
        }
        if (kind == CONNECT)
            conn->head = malloc(HEAD_LIMIT);
        if (kind == BANNERED)
            say(conn, (char[]){BANNER}, 1);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        epoll_ctl(main_poller, EPOLL_CTL_ADD, fd, &event);
        if (kind == BANNERED)
            serve(conn);
    }
}

int main(int argc, char **argv)
{
    int ports[KINDS] = {0}, count = argc == 3 ? KINDS : CONNECT;
    static char stdin_mark;

    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    pattern_make();
    main_poller = epoll_create1(EPOLL_CLOEXEC);
    echo_poller = epoll_create1(EPOLL_CLOEXEC);
    if (argc == 3)
        context = tls_server(argv[1], argv[2]);
    for (int i = 0; i < count; i++) {
        listeners[i].fd = listen_loopback(&ports[i]);
        listeners[i].kind = (enum kind)i;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listeners[i]};
        epoll_ctl(main_poller, EPOLL_CTL_ADD, listeners[i].fd, &event);
    }
    struct epoll_event end = {.events = EPOLLIN, .data.ptr = &stdin_mark};
    if (epoll_ctl(main_poller, EPOLL_CTL_ADD, 0, &end))
        die("standard input must be a pipe");
    pthread_t thread;
    if (pthread_create(&thread, NULL, echo, NULL))
        die("no thread");
    printf("{\"plain\": %d, \"banner\": %d, \"connect\": %d, \"tls\": %d}\n", ports[PLAIN], ports[BANNERED],
           ports[CONNECT], ports[TLS]);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(main_poller, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            void *who = events[i].data.ptr;
            int which = 0;
            if (who == &stdin_mark)
                return 0;
            while (which < count && who != &listeners[which])
                which++;
            if (which < count)
                welcome(&listeners[which]);
            else
                serve(who);
        }
    }
}
