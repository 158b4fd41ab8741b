/* A link with a round trip: delay TO_PORT ROUND_TRIP_MICROSECONDS
 *
 * Prints its port as JSON and carries connections to TO_PORT of the loopback; every byte and every end arrives half a
 * round trip after it came. The TCP handshake of a program with this one costs nothing here, so it is charged: the far
 * side is dialled after half a round trip, and what the client sends first waits for a whole one, as if it had to wait
 * for its SYN to be answered. It ends when standard input ends.
 */
#define _GNU_SOURCE
#include "ground.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { BLOCK = 64 * 1024, LIMIT = 4 * 1024 * 1024 };

struct parcel {
    struct parcel *next;
    uint64_t due;
    size_t done, size; /* size 0: the end */
    uint8_t data[];
};

struct pipe {
    struct parcel *first, *last;
    size_t waiting;
    bool ended; /* the source has ended */
};

struct side {
    struct link *link;
    int index;
};

struct link {
    struct link *previous, *next;
    int fd[2]; /* client, server; -1: not dialled yet */
    struct pipe pipe[2]; /* [i]: from fd[i] to fd[1 - i] */
    struct side side[2];
    uint64_t dial_at, open_at;
    bool dead;
};

static int poller, timer, to_port;
static uint64_t one_way;
static struct link *links;
static uint8_t scratch[BLOCK];

static void interest(struct link *link, int index)
{
    if (link->fd[index] < 0)
        return;
    struct pipe *in = &link->pipe[index];
    struct parcel *out = link->pipe[1 - index].first;
    bool stuck = out && out->due <= now_ns();
    struct epoll_event event = {.events = (!in->ended && in->waiting < LIMIT ? EPOLLIN : 0u) | (stuck ? EPOLLOUT : 0u),
                                .data.ptr = &link->side[index]};
    epoll_ctl(poller, EPOLL_CTL_MOD, link->fd[index], &event);
}

static void add(struct link *link, int index, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &link->side[index]};
    link->fd[index] = fd;
    set_nonblocking(fd);
    set_nodelay(fd);
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void fetch(struct link *link, int index)
{
    struct pipe *pipe = &link->pipe[index];
    while (!pipe->ended && pipe->waiting < LIMIT) {
        ssize_t got = recv(link->fd[index], scratch, sizeof scratch, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got < 0) {
            link->dead = true;
            return;
        }
        struct parcel *parcel = malloc(sizeof *parcel + (size_t)got);
        uint64_t now = now_ns();
        *parcel = (struct parcel){.size = (size_t)got, .due = (now > link->open_at ? now : link->open_at) + one_way};
        memcpy(parcel->data, scratch, (size_t)got);
        pipe->waiting += (size_t)got;
        pipe->ended = got == 0;
        if (pipe->last)
            pipe->last->next = parcel;
        else
            pipe->first = parcel;
        pipe->last = parcel;
    }
}

static void deliver(struct link *link, int index)
{
    struct pipe *pipe = &link->pipe[index];
    int to = link->fd[1 - index];
    uint64_t now = now_ns();
    while (to >= 0 && pipe->first && pipe->first->due <= now) {
        struct parcel *parcel = pipe->first;
        if (parcel->size == 0) {
            shutdown(to, SHUT_WR);
        } else {
            ssize_t put = send(to, parcel->data + parcel->done, parcel->size - parcel->done, MSG_NOSIGNAL);
            if (put < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            if (put < 0) {
                link->dead = true;
                return;
            }
            parcel->done += (size_t)put;
            if (parcel->done < parcel->size)
                return;
            pipe->waiting -= parcel->size;
        }
        pipe->first = parcel->next;
        if (!pipe->first)
            pipe->last = NULL;
        free(parcel);
    }
}

static void drop(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        struct channel channel = {.fd = link->fd[i]};
        channel_reset(&channel);
        while (link->pipe[i].first) {
            struct parcel *parcel = link->pipe[i].first;
            link->pipe[i].first = parcel->next;
            free(parcel);
        }
    }
    if (link->previous)
        link->previous->next = link->next;
    else
        links = link->next;
    if (link->next)
        link->next->previous = link->previous;
    free(link);
}

static bool is_over(const struct link *link)
{
    return link->dead ||
           (link->pipe[0].ended && !link->pipe[0].first && link->pipe[1].ended && !link->pipe[1].first);
}

/* Do what is due on every link, and set the timer for what is due next. */
static void tick(void)
{
    uint64_t next_due = UINT64_MAX;
    for (struct link *link = links, *next; link; link = next) {
        next = link->next;
        if (link->fd[1] < 0 && now_ns() >= link->dial_at) {
            int fd = connect_loopback(to_port, 5);
            if (fd < 0)
                link->dead = true;
            else
                add(link, 1, fd);
        }
        for (int i = 0; i < 2 && !link->dead; i++)
            deliver(link, i);
        if (is_over(link)) {
            drop(link);
            continue;
        }
        if (link->fd[1] < 0 && link->dial_at < next_due)
            next_due = link->dial_at;
        for (int i = 0; i < 2; i++) {
            interest(link, i);
            struct parcel *first = link->pipe[i].first;
            if (first && first->due > now_ns() && first->due < next_due)
                next_due = first->due;
        }
    }
    struct itimerspec when = {0};
    if (next_due != UINT64_MAX) {
        when.it_value.tv_sec = (time_t)(next_due / 1000000000u);
        when.it_value.tv_nsec = (long)(next_due % 1000000000u);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void welcome(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct link *link = calloc(1, sizeof *link);
        uint64_t now = now_ns();
        *link = (struct link){.next = links, .fd = {-1, -1}, .dial_at = now + one_way, .open_at = now + 2 * one_way};
        for (int i = 0; i < 2; i++)
            link->side[i] = (struct side){link, i};
        if (links)
            links->previous = link;
        links = link;
        add(link, 0, fd);
    }
}

int main(int argc, char **argv)
{
    static char stdin_mark, timer_mark, listener_mark;
    int port;
    if (argc != 3)
        die("usage: delay TO_PORT ROUND_TRIP_MICROSECONDS");
    to_port = atoi(argv[1]);
    one_way = strtoull(argv[2], NULL, 10) * 1000 / 2;
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    int listener = listen_loopback(&port);
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct {
        int fd;
        void *mark;
    } own[] = {{0, &stdin_mark}, {timer, &timer_mark}, {listener, &listener_mark}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = own[i].mark};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, own[i].fd, &event))
            die("cannot watch descriptor %d", own[i].fd);
    }
    printf("{\"port\": %d}\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            void *who = events[i].data.ptr;
            uint64_t ticks;
            if (who == &stdin_mark)
                return 0;
            if (who == &timer_mark) {
                if (read(timer, &ticks, sizeof ticks) < 0)
                    continue;
            } else if (who == &listener_mark) {
                welcome(listener);
            } else {
                struct side *side = who;
                if (events[i].events & (EPOLLERR | EPOLLHUP) && side->link->pipe[side->index].ended)
                    side->link->dead = true;
                fetch(side->link, side->index);
            }
        }
        tick();
    }
}
