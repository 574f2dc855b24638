"""Editing a stopped watcher's ledger by hand, as a bad disk would."""
import ctypes
import ctypes.util
import os

_lmdb = ctypes.CDLL(ctypes.util.find_library('lmdb') or 'liblmdb.so.0')
TABLES = 64
MAP_SIZE = 1 << 30
FIRST, NEXT = 0, 8
NOT_FOUND = -30798


class _Value(ctypes.Structure):
    _fields_ = [('size', ctypes.c_size_t), ('data', ctypes.c_void_p)]

    def bytes(self):
        return ctypes.string_at(self.data, self.size)


def _call(name, *arguments, allowed=(0,)):
    code = getattr(_lmdb, 'mdb_' + name)(*arguments)
    if code not in allowed:
        raise OSError(f'mdb_{name}: {code}')
    return code


def _value(data):
    return _Value(len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p))


def _rows(transaction, table):
    cursor, key, value = ctypes.c_void_p(), _Value(), _Value()
    _call('cursor_open', transaction, table, ctypes.byref(cursor))
    rows, where = [], FIRST
    while _call('cursor_get', cursor, ctypes.byref(key), ctypes.byref(value), where,
                allowed=(0, NOT_FOUND)) == 0:
        rows.append((key.bytes(), value.bytes()))
        where = NEXT
    _lmdb.mdb_cursor_close(cursor)
    return rows


def _change(watcher, table, work):
    """work(transaction, table) in one committed transaction; returns its result."""
    environment, transaction, handle = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint()
    _call('env_create', ctypes.byref(environment))
    try:
        _call('env_set_maxdbs', environment, TABLES)
        _call('env_set_mapsize', environment, ctypes.c_size_t(MAP_SIZE))
        _call('env_open', environment, os.path.join(watcher.datadir(), 'ledger').encode(), 0, 0o640)
        _call('txn_begin', environment, None, 0, ctypes.byref(transaction))
        _call('dbi_open', transaction, table.encode(), 0, ctypes.byref(handle))
        result = work(transaction, handle)
        _call('txn_commit', transaction)
    finally:
        _lmdb.mdb_env_close(environment)
    return result


def put(watcher, table, key, value):
    """Set one row."""
    _change(watcher, table, lambda transaction, handle: _call(
        'put', transaction, handle, ctypes.byref(_value(key)), ctypes.byref(_value(value)), 0))


def rows(watcher, table):
    """Every row, (key, value) in order."""
    return _change(watcher, table, _rows)
