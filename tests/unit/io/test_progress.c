#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "io/progress.h"

/* stderr led to a terminal of 20 columns, or to a pipe, whose other end is read here. */
struct screen {
    int saved;
    int reader;
    char text[4096];
};

static void screen_open(struct screen *screen, bool terminal)
{
    int inner;
    if (terminal) {
        screen->reader = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(screen->reader >= 0);
        assert_int_equal(grantpt(screen->reader), 0);
        assert_int_equal(unlockpt(screen->reader), 0);
        inner = open(ptsname(screen->reader), O_RDWR | O_NOCTTY);
        assert_true(inner >= 0);
        struct termios raw;
        tcgetattr(inner, &raw);
        cfmakeraw(&raw);
        tcsetattr(inner, TCSANOW, &raw);
        ioctl(inner, TIOCSWINSZ, &(struct winsize){.ws_row = 5, .ws_col = 20});
    } else {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        screen->reader = ends[0];
        inner = ends[1];
    }
    screen->saved = dup(STDERR_FILENO);
    dup2(inner, STDERR_FILENO);
    close(inner);
}

/* What was written, up to an end mark: the kernel passes it on in its own time. */
static const char *screen_take(struct screen *screen)
{
    size_t len = 0;
    char *end = NULL;
    assert_int_equal(write(STDERR_FILENO, "#", 1), 1);
    while (end == NULL) {
        ssize_t got =
            read(screen->reader, screen->text + len, sizeof(screen->text) - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
        screen->text[len] = '\0';
        end = strchr(screen->text, '#');
    }
    *end = '\0';
    return screen->text;
}

static void screen_close(struct screen *screen)
{
    dup2(screen->saved, STDERR_FILENO);
    close(screen->saved);
    close(screen->reader);
}

static void test_a_line_stays_below_the_log(void **state)
{
    (void)state;
    struct screen screen;
    screen_open(&screen, true);
    progress_start();
    progress_show("headers 10 %");
    log_line(LOG_APP, LOG_INFO, "hello");
    progress_show("headers 10 %");
    progress_show("headers 11 %");
    progress_stop();
    progress_show("nothing");
    log_line(LOG_APP, LOG_INFO, "bye");
    const char *text = screen_take(&screen);
    screen_close(&screen);
    assert_string_equal(text, "\r\x1b[Kheaders 10 %"
                              "\r\x1b[Kapp: hello\n"
                              "\r\x1b[Kheaders 10 %"
                              "\r\x1b[Kheaders 11 %"
                              "\r\x1b[K"
                              "app: bye\n");
}

static void test_long_text_is_cut_to_the_width(void **state)
{
    (void)state;
    struct screen screen;
    screen_open(&screen, true);
    progress_start();
    progress_show("\xc3\xa4\xc3\xa4 4567890123456789012345");
    const char *text = screen_take(&screen);
    progress_stop();
    screen_close(&screen);
    assert_string_equal(text, "\r\x1b[K\xc3\xa4\xc3\xa4 4567890123456789");
}

static void test_control_characters_are_replaced(void **state)
{
    (void)state;
    struct screen screen;
    screen_open(&screen, true);
    progress_start();
    progress_show("a\nb");
    const char *text = screen_take(&screen);
    progress_stop();
    screen_close(&screen);
    assert_string_equal(text, "\r\x1b[Ka?b");
}

static void test_nothing_where_there_is_no_terminal(void **state)
{
    (void)state;
    struct screen screen;
    screen_open(&screen, false);
    progress_start();
    progress_show("headers 10 %");
    log_line(LOG_APP, LOG_INFO, "hello");
    progress_stop();
    const char *text = screen_take(&screen);
    screen_close(&screen);
    assert_string_equal(text, "app: hello\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_stays_below_the_log),
        cmocka_unit_test(test_long_text_is_cut_to_the_width),
        cmocka_unit_test(test_control_characters_are_replaced),
        cmocka_unit_test(test_nothing_where_there_is_no_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
