/* The load generator: load MODE port=N [name=value ...]; prints JSON, or says on standard error what failed.
 *
 *   bulk   streams= op=u|d|b size= (bytes for each stream and direction) or seconds=: open the streams, say so, wait
 *          for a line of standard input, move verified bytes
 *   ping   seconds=: one byte there and back, one at a time; microseconds
 *   rate   workers= seconds= pace=: open a tunnel, hear the endpoint, close it; again and again, without pace= as fast
 *          as it goes, else so many a second where that is possible; milliseconds
 *   hold   count=: open so many, say so, answer each line of standard input by one byte through each, until its end
 *   first  count= gap= (ms): open, wait for the byte that the endpoint says first, close; milliseconds
 *
 * tls=CA and host=NAME: this program is the client half's TLS itself; connect=AUTHORITY: and its CONNECT.
 */
#define _GNU_SOURCE
#include "ground.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PATIENCE = 20, ROUNDS = 4, SAMPLES = 4 * 1000 * 1000 };

static const char *mode, *tls_ca, *tls_host = "localhost", *authority;
static int port, streams = 1, workers = 8, count = 1;
static char op = OP_DOWN;
static uint64_t size;
static double seconds, gap, pace;
static SSL_CTX *context;

struct stream {
    struct channel channel;
    uint32_t seed;
    uint64_t sent, received;
    size_t verdict_filled;
    struct verdict verdict;
    bool writing, done;
};

/* Blocking set-up: how a stream begins. */

static bool write_all(struct channel *channel, const void *data, size_t length)
{
    const uint8_t *next = data;
    while (length) {
        ssize_t written = channel_write(channel, next, length);
        if (written <= 0)
            return false;
        next += written;
        length -= (size_t)written;
    }
    return true;
}

static bool read_all(struct channel *channel, void *data, size_t length)
{
    uint8_t *next = data;
    while (length) {
        ssize_t got = channel_read(channel, next, length);
        if (got <= 0)
            return false;
        next += got;
        length -= (size_t)got;
    }
    return true;
}

static const char *send_connect(struct channel *channel)
{
    char head[1024];
    int length = snprintf(head, sizeof head, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", authority,
                          authority);
    if (!write_all(channel, head, (size_t)length))
        return "CONNECT was not taken";
    for (length = 0; length < 4 || memcmp(head + length - 4, "\r\n\r\n", 4) != 0; length++)
        if (length == sizeof head || !read_all(channel, head + length, 1))
            return "no answer to CONNECT";
    return strncmp(head + 8, " 200", 4) == 0 ? NULL : "CONNECT was refused";
}

/* NULL, or what went wrong; then the channel is closed. */
static const char *open_channel(struct channel *channel)
{
    const char *problem = NULL;
    channel->ssl = NULL;
    channel->fd = connect_loopback(port, PATIENCE);
    if (channel->fd < 0)
        return "no connection";
    if (tls_ca) {
        tls_wrap(channel, context, false, tls_host);
        if (tls_handshake(channel) != 1)
            problem = "no TLS";
    }
    if (!problem && authority)
        problem = send_connect(channel);
    if (problem)
        channel_reset(channel);
    return problem;
}

static const char *open_stream(struct stream *stream, char what, uint32_t seed, uint64_t length)
{
    struct order order = {.magic = {'T', 'B', 'N', '1'}, .op = (uint8_t)what, .seed = seed, .size = length};
    char ack = 0;
    memset(stream, 0, sizeof *stream);
    stream->seed = seed;
    const char *problem = open_channel(&stream->channel);
    if (problem)
        return problem;
    if (!write_all(&stream->channel, &order, sizeof order) || !read_all(&stream->channel, &ack, 1) || ack != ACK) {
        channel_reset(&stream->channel);
        return "the endpoint does not answer";
    }
    return NULL;
}

static void open_or_die(struct stream *stream, char what, uint32_t seed, uint64_t length)
{
    const char *problem = open_stream(stream, what, seed, length);
    if (problem)
        die("stream %u: %s", seed, problem);
}

/* Samples. */

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const double *sorted, size_t number, double share)
{
    return number ? sorted[(size_t)((double)(number - 1) * share)] : 0;
}

static double *samples_new(void)
{
    double *samples = calloc(SAMPLES, sizeof *samples);
    if (!samples)
        die("no memory");
    return samples;
}

/* bulk */

static uint8_t scratch[CHUNK];
static int poller;

static bool is_sender(void)
{
    return op == OP_UP || op == OP_BOTH;
}

static bool is_receiver(void)
{
    return op == OP_DOWN || op == OP_BOTH;
}

static void take(struct stream *stream, const uint8_t *data, size_t length)
{
    uint64_t wanted = is_receiver() ? size - stream->received : 0;
    size_t body = length < wanted ? length : (size_t)wanted;
    if (body && !pattern_fits(stream->seed, stream->received, data, body))
        die("content differs near byte %llu of stream %u", (unsigned long long)stream->received, stream->seed);
    stream->received += body;
    data += body;
    length -= body;
    if (!length)
        return;
    if (stream->verdict_filled + length > sizeof stream->verdict)
        die("stream %u is longer than it should be", stream->seed);
    memcpy((uint8_t *)&stream->verdict + stream->verdict_filled, data, length);
    stream->verdict_filled += length;
    if (stream->verdict_filled < sizeof stream->verdict)
        return;
    if (memcmp(stream->verdict.magic, "TBNV", 4) != 0 || stream->verdict.received != (is_sender() ? size : 0))
        die("stream %u: the endpoint got %llu bytes", stream->seed, (unsigned long long)stream->verdict.received);
    stream->done = true;
}

static void drive(struct stream *stream)
{
    bool blocked = false;
    for (int round = 0; round < ROUNDS || channel_pending(&stream->channel); round++) {
        ssize_t got = channel_read(&stream->channel, scratch, sizeof scratch);
        if (got == CH_AGAIN)
            break;
        if (got <= 0)
            die("stream %u %s after %llu bytes up and %llu down", stream->seed, got == CH_EOF ? "ended" : "broke",
                (unsigned long long)stream->sent, (unsigned long long)stream->received);
        take(stream, scratch, (size_t)got);
        if (stream->done)
            return;
    }
    for (int round = 0; is_sender() && stream->sent < size; round++) {
        uint64_t rest = size - stream->sent;
        blocked = true;
        if (round == ROUNDS)
            break; /* the other streams first; the socket is still writable and will be announced */
        ssize_t put = channel_write(&stream->channel, pattern_at(stream->seed, stream->sent),
                                    rest < CHUNK ? (size_t)rest : CHUNK);
        if (put == CH_BROKEN)
            die("stream %u broke after %llu bytes up", stream->seed, (unsigned long long)stream->sent);
        if (put <= 0)
            break;
        stream->sent += (uint64_t)put;
        blocked = false;
    }
    if (blocked != stream->writing) {
        struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0u), .data.ptr = stream};
        epoll_ctl(poller, EPOLL_CTL_MOD, stream->channel.fd, &event);
        stream->writing = blocked;
    }
}

static void bulk(void)
{
    struct stream *all = calloc((size_t)streams, sizeof *all);
    struct epoll_event events[256];
    int running = streams;
    uint64_t up = 0, down = 0;
    if (!size)
        size = (uint64_t)1 << 60;
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < streams; i++)
        open_or_die(&all[i], op, (uint32_t)i * 7919u, size);
    for (int i = 0; i < streams; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        set_nonblocking(all[i].channel.fd);
        epoll_ctl(poller, EPOLL_CTL_ADD, all[i].channel.fd, &event);
    }
    char line[64];
    printf("{\"ready\": %d}\n", streams);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        die("nobody says when to start");
    uint64_t began = now_ns(), end = seconds > 0 ? began + (uint64_t)(seconds * 1e9) : UINT64_MAX;
    for (int i = 0; i < streams; i++)
        if (!write_all(&all[i].channel, (char[]){GO}, 1))
            die("stream %u does not start", all[i].seed);
    for (int i = 0; i < streams; i++)
        drive(&all[i]);
    while (running && now_ns() < end) {
        int ready = epoll_wait(poller, events, 256, seconds > 0 ? 20 : PATIENCE * 1000);
        if (ready == 0 && seconds <= 0)
            die("nothing moved for %d s", PATIENCE);
        for (int i = 0; i < ready; i++) {
            struct stream *stream = events[i].data.ptr;
            drive(stream);
            if (stream->done) {
                epoll_ctl(poller, EPOLL_CTL_DEL, stream->channel.fd, NULL);
                running--;
            }
        }
    }
    double elapsed = (double)(now_ns() - began) / 1e9;
    for (int i = 0; i < streams; i++) {
        up += all[i].sent;
        down += all[i].received;
    }
    printf("{\"up\": %llu, \"down\": %llu, \"seconds\": %.6f, \"complete\": %s}\n", (unsigned long long)up,
           (unsigned long long)down, elapsed, running ? "false" : "true");
    fflush(stdout);
    /* Another line: what it costs to close the streams is no part of what they moved. */
    (void)!fgets(line, sizeof line, stdin);
    for (int i = 0; i < streams; i++)
        channel_close(&all[i].channel);
}

/* ping */

static void ping(void)
{
    double *samples = samples_new();
    size_t number = 0;
    struct stream stream;
    open_or_die(&stream, OP_ECHO, 0, 0);
    hurry();
    uint64_t end = 0;
    for (int warm = -5; number < SAMPLES; warm++) {
        uint8_t byte = (uint8_t)(number * 31 + 7), back = 0;
        uint64_t began = now_ns();
        if (warm == 0)
            end = began + (uint64_t)(seconds * 1e9);
        if (number && began >= end)
            break;
        if (!write_all(&stream.channel, &byte, 1) || !read_all(&stream.channel, &back, 1))
            die("ping %zu got no answer", number);
        if (back != byte)
            die("ping %zu got another's answer", number);
        if (warm >= 0)
            samples[number++] = (double)(now_ns() - began) / 1e3;
    }
    channel_close(&stream.channel);
    qsort(samples, number, sizeof *samples, by_value);
    printf("{\"count\": %zu, \"p50\": %.2f, \"p99\": %.2f, \"max\": %.2f}\n", number, quantile(samples, number, 0.5),
           quantile(samples, number, 0.99), quantile(samples, number, 1));
}

/* rate */

static double *rate_samples;
static _Atomic size_t rate_number, rate_failed, rate_turn;
static uint64_t rate_began, rate_end;

static void rate_wait(void)
{
    if (pace <= 0)
        return;
    uint64_t due = rate_began + (uint64_t)((double)atomic_fetch_add(&rate_turn, 1) * 1e9 / pace), now = now_ns();
    if (due > now)
        usleep((useconds_t)((due - now) / 1000));
}

static void *rate_worker(void *argument)
{
    (void)argument;
    for (rate_wait(); now_ns() < rate_end; rate_wait()) {
        struct stream stream;
        uint64_t began = now_ns();
        const char *problem = open_stream(&stream, OP_ECHO, 0, 0);
        if (problem) {
            if (atomic_fetch_add(&rate_failed, 1) == 0)
                fprintf(stderr, "a tunnel failed: %s\n", problem);
            usleep(1000);
            continue;
        }
        size_t mine = atomic_fetch_add(&rate_number, 1);
        if (mine < SAMPLES)
            rate_samples[mine] = (double)(now_ns() - began) / 1e6;
        channel_close(&stream.channel);
    }
    return NULL;
}

static void rate(void)
{
    pthread_t threads[256];
    if (workers > 256)
        die("at most 256 workers");
    rate_samples = samples_new();
    uint64_t began = rate_began = now_ns();
    rate_end = began + (uint64_t)(seconds * 1e9);
    for (int i = 0; i < workers; i++)
        if (pthread_create(&threads[i], NULL, rate_worker, NULL))
            die("no thread");
    for (int i = 0; i < workers; i++)
        pthread_join(threads[i], NULL);
    double elapsed = (double)(now_ns() - began) / 1e9;
    size_t number = rate_number;
    qsort(rate_samples, number, sizeof *rate_samples, by_value);
    printf("{\"count\": %zu, \"failed\": %zu, \"seconds\": %.6f, \"p50\": %.3f, \"p99\": %.3f}\n", number,
           (size_t)rate_failed, elapsed, quantile(rate_samples, number, 0.5), quantile(rate_samples, number, 0.99));
}

/* hold */

static void hold(void)
{
    struct stream *all = calloc((size_t)count, sizeof *all);
    char line[64];
    uint64_t began = now_ns();
    for (int i = 0; i < count; i++)
        open_or_die(&all[i], OP_ECHO, (uint32_t)i, 0);
    printf("{\"held\": %d, \"seconds\": %.3f}\n", count, (double)(now_ns() - began) / 1e9);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        for (int i = 0; i < count; i++) {
            uint8_t byte = (uint8_t)(i * 13 + 1), back = 0;
            if (!write_all(&all[i].channel, &byte, 1) || !read_all(&all[i].channel, &back, 1) || back != byte)
                die("tunnel %d of %d is dead", i, count);
        }
        printf("{\"alive\": %d}\n", count);
        fflush(stdout);
    }
    for (int i = 0; i < count; i++)
        channel_close(&all[i].channel);
}

/* first */

static void first(void)
{
    printf("{\"ms\": [");
    for (int i = 0; i < count; i++) {
        struct channel channel;
        char byte = 0;
        if (i && gap > 0)
            usleep((useconds_t)(gap * 1000));
        uint64_t began = now_ns();
        const char *problem = open_channel(&channel);
        if (problem)
            die("connection %d: %s", i, problem);
        if (!read_all(&channel, &byte, 1) || byte != BANNER)
            die("connection %d: the endpoint says nothing", i);
        printf("%s%.3f", i ? ", " : "", (double)(now_ns() - began) / 1e6);
        channel_close(&channel);
    }
    printf("]}\n");
}

static void read_arguments(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value)
            die("%s: name=value is wanted", argv[i]);
        *value++ = 0;
        const char *name = argv[i];
        if (!strcmp(name, "port"))
            port = atoi(value);
        else if (!strcmp(name, "streams"))
            streams = atoi(value);
        else if (!strcmp(name, "workers"))
            workers = atoi(value);
        else if (!strcmp(name, "count"))
            count = atoi(value);
        else if (!strcmp(name, "op"))
            op = value[0];
        else if (!strcmp(name, "size"))
            size = strtoull(value, NULL, 10);
        else if (!strcmp(name, "seconds"))
            seconds = strtod(value, NULL);
        else if (!strcmp(name, "gap"))
            gap = strtod(value, NULL);
        else if (!strcmp(name, "pace"))
            pace = strtod(value, NULL);
        else if (!strcmp(name, "tls"))
            tls_ca = value;
        else if (!strcmp(name, "host"))
            tls_host = value;
        else if (!strcmp(name, "connect"))
            authority = value;
        else
            die("what is %s?", name);
    }
    if (port <= 0 || streams <= 0 || workers <= 0 || count <= 0)
        die("port, streams, workers and count are numbers above 0");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: load bulk|ping|rate|hold|first port=N [name=value ...]");
    mode = argv[1];
    read_arguments(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    pattern_make();
    if (tls_ca)
        context = tls_client(tls_ca);
    if (!strcmp(mode, "bulk"))
        bulk();
    else if (!strcmp(mode, "ping"))
        ping();
    else if (!strcmp(mode, "rate"))
        rate();
    else if (!strcmp(mode, "hold"))
        hold();
    else if (!strcmp(mode, "first"))
        first();
    else
        die("what is %s?", mode);
    return 0;
}
